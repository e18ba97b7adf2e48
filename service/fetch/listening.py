"""Receiving what an archive sends on our request (C-MOVE) where no node runs.

For that time this program listens where the node would. A scanner that sends to the node just then
must not lose an image to a research cohort: what was not asked for is answered with 0xA700, so
that the sender keeps it and repeats.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from node import (
    Addition,
    NodeServer,
    NotAcceptable,
    Permanent,
    ReceivedSeries,
    SeriesSettings,
    Spool,
    SpoolSettings,
    StoredInstance,
)
from node.incoming import IncomingFile
from node.query import FoundSeries
from service.config import Config
from service.destinations import listener_settings
from service.errors import UsageError


class AskedSpool(Spool):
    """Keeps only series that were asked for."""

    def __init__(self, settings: SpoolSettings) -> None:
        super().__init__(settings)
        self._asked: frozenset[tuple[str, str]] = frozenset()

    def ask(self, series: FoundSeries) -> None:
        """Take this series from now on, too."""
        self._asked |= {(series.StudyInstanceUID, series.SeriesInstanceUID)}

    def keep(self, incoming: IncomingFile) -> tuple[StoredInstance, Addition]:
        """See `Spool.keep`."""
        if not self._is_asked(incoming):
            incoming.refuse("not asked for; the node is not running")
        return super().keep(incoming)

    def _is_asked(self, incoming: IncomingFile) -> bool:
        try:
            header = incoming.header()
        except NotAcceptable:
            return True  # refused for what it is, further on
        return (header.StudyInstanceUID, header.SeriesInstanceUID) in self._asked


@contextmanager
def listening(config: Config, spool: Spool) -> Iterator[None]:
    """Receive into a spool as the node would, while the block runs.

    Raises
    ------
    UsageError
        The address is taken, as by a running node.
    """
    node = config.node
    server = NodeServer(listener_settings(config), spool, SeriesSettings(), _taken)
    try:
        server.start()
    except Permanent as error:
        raise UsageError(
            f"C-MOVE sends to {node.ae_title} on port {node.port}, and {error}. Where the node "
            "runs, fetch into it (without --out), or use a source with retrieve: get or "
            "dicomweb_url"
        ) from error
    try:
        yield
    finally:
        server.stop(drain_seconds=2.0)


def _taken(series: ReceivedSeries) -> None:
    """Whether a series is whole is decided by who asked for it."""
    del series
