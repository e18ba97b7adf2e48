"""`spinenode fetch` without --out: into the node that runs on this host."""

from __future__ import annotations

from contextlib import ExitStack

from node import Destination, Permanent
from node.query import ArchiveQuery
from service.config import Config
from service.errors import UsageError
from service.fetch.backfill import Backfill, Forwarding, Moving, check_node
from service.fetch.known import Known, KnownToNode
from service.fetch.ledger import FetchLedger
from service.fetch.order import Order, asking, make_plan
from service.fetch.pace import Pacer
from service.fetch.report import Report, report_of
from service.fetch.retrieval import NodeMover
from service.fetch.room import NodeRoom
from service.fetch.sources import Source
from service.fetch.transfer import Transfer
from service.fetch.watch import Watch
from service.jobs import Jobs
from service.layout import fetch_ledger_file, jobs_folder
from service.series_register import SeriesRegister, register_location


class IntoNode:
    """Fetches into the node that runs on this host.

    Parameters
    ----------
    most_waiting
        No more is fetched while so many jobs wait in the node; 0: no such limit.
    known
        Replaces what the ledger and the node's register know of a series.
    """

    def __init__(self, config: Config, most_waiting: int, known: Known | None = None) -> None:
        self._config = config
        self._most_waiting = most_waiting
        self._known = known

    def run(self, order: Order, watch: Watch) -> Report:
        """See `Runs`."""
        config = self._config
        moves = order.source.service == "move"
        if moves and order.pace.bytes_per_second:
            raise UsageError(
                "--megabytes-per-second cannot be kept where the archive sends to the node by "
                "itself (C-MOVE); give --per-minute"
            )
        check_node(config)
        with ExitStack() as opened:
            query = opened.enter_context(asking(order))
            ledger = FetchLedger(fetch_ledger_file(config))
            opened.callback(ledger.close)
            register = SeriesRegister(register_location(config.database_url))
            opened.callback(register.close)
            jobs = opened.enter_context(Jobs(config.database_url, jobs_folder(config)))
            transport = self._transport(order.source, query)
            opened.callback(transport.close)
            plan = make_plan(order, query, watch)
            road = Backfill(
                transport,
                self._known or KnownToNode(ledger, register),
                NodeRoom(config, lambda: jobs.counts().get("queued", 0), self._most_waiting),
            )
            run = Transfer(road, ledger, Pacer(order.pace), watch).run(plan)
            return report_of(order.source.name, plan, run, ledger)

    def _transport(self, source: Source, query: ArchiveQuery) -> Moving | Forwarding:
        if source.service == "move" and isinstance(source.peer, Destination):
            return Moving(query, NodeMover(source.peer, self._config.node.ae_title))
        try:
            return Forwarding(query, source, self._config)
        except Permanent as error:
            raise UsageError(f"another fetch is running ({error})") from error
