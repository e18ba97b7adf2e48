"""Fetched series go to the running node: over its listener, like everything else it receives.

By C-MOVE the archive sends to the node itself. By C-GET and DICOMweb the images come to a spool of
our own first, and from there to the node.
"""

from __future__ import annotations

import socket
from collections.abc import Callable

from node import (
    Destination,
    Outcome,
    Permanent,
    Retryable,
    Spool,
    SpoolSettings,
    echo,
    send_files,
)
from node.query import ArchiveQuery, FoundSeries
from node.retrieve import Progress
from service.config import Config
from service.destinations import tls_settings
from service.errors import UsageError
from service.fetch.known import Known
from service.fetch.plan import PlannedStudy
from service.fetch.retrieval import NodeMover, SpoolRetriever, Wanted, listed
from service.fetch.room import RESERVE
from service.fetch.sources import Source
from service.fetch.transfer import Arrived
from service.fetch.watch import Watch
from service.layout import fetched_images_folder

_EVERY_ADDRESS = ("0.0.0.0", "::")


def node_itself(config: Config) -> Destination:
    """The node of this host as a destination.

    Under TLS it is called by the name of the host, which its certificate is expected to bear.
    """
    node, tls = config.node, tls_settings(config.node.tls)
    host = node.host
    if host in _EVERY_ADDRESS:
        host = "127.0.0.1" if tls is None else socket.getfqdn()
    return Destination("node", node.ae_title, host, node.port, tls, calling_ae_title=node.ae_title)


def check_node(config: Config) -> None:
    """Make sure that the node runs and takes images from us.

    Raises
    ------
    UsageError
        It does not, and what to do about it.
    """
    try:
        echo(node_itself(config))
    except Retryable as error:
        raise UsageError(
            f"the node does not answer ({error}): start it with 'spinenode serve', or give --out "
            "DIR to analyse here"
        ) from error
    except Permanent as error:
        raise UsageError(
            f"the node refuses images from its own host ({error}): add {{ae_title: "
            f"{config.node.ae_title}, host: 127.0.0.1}} to node.peers"
        ) from error


class Moving:
    """The archive sends to the node (C-MOVE); sizes are not known here."""

    def __init__(self, query: ArchiveQuery, mover: NodeMover) -> None:
        self._query = query
        self._mover = mover

    def fetch(self, series: FoundSeries, progress: Progress) -> Arrived:
        """See `service.fetch.transfer.Road`."""
        return Arrived(self._mover.retrieve(listed(self._query, series), progress))

    def close(self) -> None:
        """Nothing is kept open."""


class Forwarding:
    """Images come here (C-GET, DICOMweb), and go on to the node once the series is whole."""

    def __init__(self, query: ArchiveQuery, source: Source, config: Config) -> None:
        self._query = query
        self._node = node_itself(config)
        self._spool = Spool(
            SpoolSettings(fetched_images_folder(config), RESERVE * config.node.min_free_gib)
        )
        self._retriever = SpoolRetriever(source, self._spool, config.node.ae_title)

    def fetch(self, series: FoundSeries, progress: Progress) -> Arrived:
        """See `service.fetch.transfer.Road`."""
        wanted = listed(self._query, series)
        self._retriever.retrieve(wanted, progress)
        return self._forward(wanted)

    def _forward(self, wanted: Wanted) -> Arrived:
        received = self._spool.received_series(*wanted.uids)
        paths = [] if received is None else [file.path for file in received.files]
        size_bytes = sum(path.stat().st_size for path in paths)
        results = send_files(paths, self._node)
        failed = [r for r in results if r.outcome not in (Outcome.SENT, Outcome.WARNING)]
        if failed:
            raise Retryable(
                f"the node took {len(paths) - len(failed)} of {len(paths)} images: "
                f"{failed[0].comment or failed[0].status}"
            )
        self._spool.purge(*wanted.uids)
        return Arrived(len(paths), size_bytes)

    def close(self) -> None:
        """Give the spool up."""
        self._spool.close()


class Backfill:
    """The road to the running node. Satisfies `service.fetch.transfer.Road`."""

    def __init__(
        self,
        transport: Moving | Forwarding,
        known: Known,
        room: Callable[[Watch], str],
    ) -> None:
        self.already = known
        self.make_room = room
        self.fetch = transport.fetch

    def study_through(self, study: PlannedStudy) -> None:
        """The node itself decides when it has a study; see `service.study_desk`."""
