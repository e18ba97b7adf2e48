"""The receiving side of the node, ready to be started and stopped by the service."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from typing import cast

from pynetdicom.association import Association

from node.commitment_scp import CommitmentScp
from node.commitment_scu import ReportConsumer
from node.completion import CompletionDispatcher, SeriesConsumer
from node.doorway import Doorway
from node.errors import Permanent
from node.farewell import abort
from node.late_entries import Addition
from node.observer import NodeObserver, SilentObserver
from node.received import StoredInstance, series_key
from node.roster import Roster
from node.scp import StorageScp, application_entity
from node.settings import ListenerSettings, Peer, SeriesSettings
from node.spool import Spool
from node.streaming import dul_factory
from node.tls import server_context
from node.transport import NodeAssociationServer

LOG = logging.getLogger(__name__)
POLL_SECONDS = 0.05
STALLED_SECONDS = 10.0
"""The accept loop turns ten times a second, however busy the associations are."""


@dataclass(frozen=True)
class NodeStatus:
    """A snapshot for health checks and the dashboard."""

    listening: bool
    port: int
    open_associations: int
    open_series: int
    failing_hand_overs: int
    free_bytes: int
    has_room: bool


class NodeServer:
    """Receives instances into the spool and hands completed series on.

    Parameters
    ----------
    on_series_complete
        Called in a thread of the node, one series at a time, at least once for each completed
        instance set, also across a kill: the same digest may come twice.
    on_commitment
        Takes storage commitment reports on what we sent, and returns whether it knows the
        transaction: `CommitmentLedger.settle`.
    """

    def __init__(
        self,
        listener: ListenerSettings,
        spool: Spool,
        series: SeriesSettings,
        on_series_complete: SeriesConsumer,
        observer: NodeObserver | None = None,
        on_commitment: ReportConsumer | None = None,
    ) -> None:
        self._listener = listener
        self._spool = spool
        self._observer = observer or SilentObserver()
        self._roster = Roster(listener)
        self._dispatcher = CompletionDispatcher(
            spool, series, on_series_complete, self._observer, self._report_ended
        )
        self._commitment = CommitmentScp(listener, spool.index, on_commitment)
        self._server: NodeAssociationServer | None = None

    @property
    def port(self) -> int:
        """The port listened on; of use when the setting is 0."""
        return self._listener.port if self._server is None else int(self._server.server_address[1])

    def start(self) -> None:
        """Take up what was left, then listen.

        Raises
        ------
        Permanent
            Address in use or not ours, or TLS files unusable.
        """
        listener = self._listener
        tls = None if listener.tls is None else server_context(listener.tls)
        ae = application_entity(listener)
        self._commitment.add_to(ae)
        scp = StorageScp(self._spool, listener.limits, self._observer, self._instance_stored)
        try:
            server = ae.make_server(
                (listener.host, listener.port),
                evt_handlers=[*scp.handlers(), *self._commitment.handlers()],
                server_class=NodeAssociationServer,
                doorway=Doorway(listener.limits, tls),
                roster=self._roster,
                observer=self._observer,
                limits=listener.limits,
                make_dul=dul_factory(listener, scp),
            )
        except OSError as error:
            raise Permanent(f"cannot listen on {listener.host}:{listener.port}: {error}") from error
        # The library removes a server from this list when it shuts down.
        ae._servers.append(server)
        self._server = cast(NodeAssociationServer, server)
        self._dispatcher.start()
        threading.Thread(
            target=server.serve_forever,
            kwargs={"poll_interval": 0.1},
            name="node-accept",
            daemon=True,
        ).start()
        LOG.info("listening as %s on port %d", listener.ae_title, self.port)

    def stop(self, drain_seconds: float = 10.0) -> None:
        """Stop accepting, let open associations finish, abort those that do not."""
        if self._server is None:
            return
        self._server.shutdown()
        deadline = time.monotonic() + drain_seconds
        while self._roster.alive() and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
        left = self._roster.alive()
        for place in left:
            LOG.warning("association %d aborted at stop", place.number)
        abort([place.thread for place in left if place.thread is not None])
        self._dispatcher.stop()
        self._report_ended()
        self._server = None

    def follow(self, peers: tuple[Peer, ...]) -> None:
        """Admit these peers from now on; open associations go on."""
        self._roster.follow(peers)
        self._commitment.follow(peers)

    def stalled(self) -> str:
        """Why no association can be answered any more, or an empty text."""
        server = self._server
        if server is None:
            return "not listening"
        silent = time.monotonic() - server.last_turn
        return f"accepts nothing for {silent:.0f} s" if silent > STALLED_SECONDS else ""

    def status(self) -> NodeStatus:
        """Return how the node stands right now."""
        open_series, failing = self._dispatcher.counts()
        return NodeStatus(
            listening=self._server is not None,
            port=self.port,
            open_associations=len(self._roster.alive()),
            open_series=open_series,
            failing_hand_overs=failing,
            free_bytes=self._spool.free_bytes(),
            has_room=self._spool.has_room(),
        )

    def _instance_stored(
        self, instance: StoredInstance, addition: Addition, association: Association
    ) -> None:
        if addition is Addition.KNOWN:
            return
        place = self._roster.find(association)
        number = None if place is None else place.number
        key = series_key(instance.StudyInstanceUID, instance.SeriesInstanceUID)
        self._dispatcher.instance_stored(key, number)

    def _report_ended(self) -> None:
        for place in self._roster.take_ended():
            self._dispatcher.association_closed(place.number)
            self._observer.association_closed(place.calling_ae_title, place.host)
