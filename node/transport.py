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
from pynetdicom.dul import DULServiceProvider
from pynetdicom.transport import RequestHandler, ThreadedAssociationServer

from node.admission import Rejection
from node.bounded_socket import BoundedSocket
from node.doorway import Doorway, Unwelcome
from node.observer import NodeObserver
from node.roster import OpenAssociation, Roster
from node.settings import ListenerLimits

LOG = logging.getLogger(__name__)
DulFactory = Callable[[Association], DULServiceProvider]


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
            association.dul = self.server.make_dul(association)
            # The timers live in the upper layer that was just replaced.
            association.acse_timeout = association.acse_timeout
            association.network_timeout = association.network_timeout
            limits = self.server.listener_limits
            association.set_socket(BoundedSocket(association, self.request, first_pdu, limits))
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
        make_dul: DulFactory,
        **kwargs: Any,
    ) -> None:
        self.doorway = doorway
        self.roster = roster
        self.observer = observer
        self.listener_limits = limits
        self.make_dul = make_dul
        self.last_turn = time.monotonic()
        handler: Callable[..., RequestHandler] = AdmittingHandler
        super().__init__(*args, **{**kwargs, "request_handler": handler})

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept a connection and nothing more."""
        if self.socket is None:
            raise OSError("server is closed")
        connection, address = self.socket.accept()
        self.doorway.enter(connection)
        return connection, address

    def service_actions(self) -> None:
        """Note that the accept loop turns; called at each of its turns."""
        super().service_actions()
        self.last_turn = time.monotonic()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        """Log what a connection's thread raised, without a traceback on stderr."""
        error = sys.exception()
        LOG.error("connection from %s failed: %s", client_address[0], type(error).__name__)
