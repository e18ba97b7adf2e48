"""The association server: pynetdicom's, with a doorway in front and bounded reads behind."""

from __future__ import annotations

import contextlib
import logging
import socket
import sys
import time
from collections.abc import Callable
from typing import Any

from pynetdicom import evt
from pynetdicom.association import Association
from pynetdicom.transport import AssociationSocket, RequestHandler, ThreadedAssociationServer

from node.admission import Rejection
from node.doorway import MAX_ASSOCIATE_RQ_BYTES, Doorway, Unwelcome
from node.observer import NodeObserver
from node.roster import OpenAssociation, Roster
from node.settings import ListenerLimits

LOG = logging.getLogger(__name__)


class BoundedSocket(AssociationSocket):
    """Gives the reactor the PDU read in the doorway first, then reads in large pieces.

    Every PDU has to be complete within `idle_seconds` and no longer than announced.
    """

    def __init__(
        self, association: Association, connection: socket.socket, first_pdu: bytes, limits: Any
    ) -> None:
        super().__init__(association, client_socket=connection)
        connection.settimeout(limits.idle_seconds)
        self._first_pdu = memoryview(first_pdu)
        self._limits: ListenerLimits = limits

    @property
    def ready(self) -> bool:
        """Whether there is something to read."""
        return bool(self._first_pdu) or bool(super().ready)

    def recv(self, nr_bytes: int) -> bytearray:
        """Read exactly `nr_bytes`, or fewer if the peer closed.

        Raises
        ------
        OSError
            The PDU is longer than allowed, or takes too long; the reactor then closes.
        """
        if self._first_pdu:
            piece, self._first_pdu = self._first_pdu[:nr_bytes], self._first_pdu[nr_bytes:]
            return bytearray(piece)
        if nr_bytes > max(self._limits.max_pdu_bytes, MAX_ASSOCIATE_RQ_BYTES):
            raise OSError("PDU longer than announced")
        return self._recv_exactly(nr_bytes)

    def _recv_exactly(self, nr_bytes: int) -> bytearray:
        if self.socket is None:
            raise OSError("connection is closed")
        deadline = time.monotonic() + self._limits.idle_seconds
        buffer = bytearray(nr_bytes)
        received = 0
        with memoryview(buffer) as view:
            while received < nr_bytes:
                count = self.socket.recv_into(view[received:])
                if count == 0:
                    break
                received += count
                if received < nr_bytes and time.monotonic() > deadline:
                    raise TimeoutError("PDU took too long")
        return buffer if received == nr_bytes else buffer[:received]


class AdmittingHandler(RequestHandler):
    """Takes one connection through the doorway and, if admitted, starts its association."""

    server: NodeAssociationServer

    def handle(self) -> None:
        """See `socketserver.BaseRequestHandler`; runs in the connection's own thread."""
        host = str(self.client_address[0])
        try:
            caller = self.server.doorway.receive(self.request)
        except Unwelcome as reason:
            self._refuse("", host, str(reason))
            return
        self.request = caller.connection
        place = self.server.roster.admit(caller.called_ae_title, caller.calling_ae_title, host)
        if isinstance(place, Rejection):
            caller.reject(place)
            self._refuse(caller.calling_ae_title, host, place.code)
            return
        self._open(place, caller.first_pdu)

    def _open(self, place: OpenAssociation, first_pdu: bytes) -> None:
        try:
            association = self._create_association()
            dul = association.dul
            dul.socket = BoundedSocket(
                association, self.request, first_pdu, self.server.listener_limits
            )
            # Both socket wrappers announced the connection; the state machine wants it once.
            dul.event_queue.get_nowait()
            evt.trigger(association, evt.EVT_CONN_OPEN, {"address": self.client_address})
            # Before the start: the first C-STORE may arrive at once and looks its place up.
            place.thread = association
            association.start()
        except BaseException:
            self.server.roster.leave(place)
            raise
        self.server.observer.association_opened(place.calling_ae_title, place.host)
        LOG.info("association %d opened by %s", place.number, place.calling_ae_title)

    def _refuse(self, calling_ae_title: str, host: str, code: str) -> None:
        with contextlib.suppress(OSError):
            self.request.close()
        LOG.info("connection from %s refused: %s", host, code)
        self.server.observer.association_rejected(calling_ae_title, host, code)


class NodeAssociationServer(ThreadedAssociationServer):
    """Accepts and hands on; nothing in the accept loop waits for a peer."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self,
        *args: Any,
        doorway: Doorway,
        roster: Roster,
        observer: NodeObserver,
        limits: ListenerLimits,
        **kwargs: Any,
    ) -> None:
        self.doorway = doorway
        self.roster = roster
        self.observer = observer
        self.listener_limits = limits
        handler: Callable[..., RequestHandler] = AdmittingHandler
        super().__init__(*args, **{**kwargs, "request_handler": handler})

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept a connection and nothing more."""
        if self.socket is None:
            raise OSError("server is closed")
        connection, address = self.socket.accept()
        self.doorway.enter(connection)
        return connection, address

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        """Log what a connection's thread raised, without a traceback on stderr."""
        error = sys.exception()
        LOG.error("connection from %s failed: %s", client_address[0], type(error).__name__)
