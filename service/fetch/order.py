"""What a fetch is to do, and what the archive says about it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from node import NodeError
from node.query import ArchiveQuery
from service.audit import SILENT, AuditedQuery, Recorder, peer_of
from service.fetch.asked import Asked
from service.fetch.candidates import Filters
from service.fetch.errors import ArchiveUnavailable
from service.fetch.pace import Pace
from service.fetch.plan import Plan, Planner
from service.fetch.report import Report
from service.fetch.sources import Source
from service.fetch.watch import Watch


@dataclass(frozen=True)
class Order:
    """What is to be fetched, from where, and how fast."""

    source: Source
    asked: Asked
    filters: Filters
    pace: Pace
    recorder: Recorder = SILENT


def make_plan(order: Order, query: ArchiveQuery, watch: Watch) -> Plan:
    """Ask the archive what there is.

    Raises
    ------
    ArchiveUnavailable
        It does not answer, or does not answer us.
    """
    try:
        return Planner(query, order.filters, watch).plan(order.asked)
    except NodeError as error:
        raise ArchiveUnavailable(str(error)) from error


@contextmanager
def asking(order: Order) -> Iterator[ArchiveQuery]:
    """Yield the query, and end its connection afterwards."""
    peer = peer_of(order.source.peer)
    query = AuditedQuery(order.source.query(), peer, order.recorder)
    try:
        yield query
    finally:
        query.close()
        order.recorder.finish()


class Runs(Protocol):
    """A way to carry an order out."""

    def run(self, order: Order, watch: Watch) -> Report:
        """Fetch what is ordered; raises `ServiceError` where nothing can be."""
