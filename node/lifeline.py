"""What an association of ours learns from its connection before the library's threads agree."""

from __future__ import annotations

import socket
from contextlib import suppress

from pynetdicom import evt
from pynetdicom.events import Event, EventHandlerType
from pynetdicom.pdu import A_ASSOCIATE_RJ


class Lifeline:
    """Three handlers, all called in the thread that owns the connection.

    pynetdicom 3.0.4 waits the whole DIMSE timeout if the connection ends just before a request,
    and on a busy machine mistakes a quick rejection for a failed connection.

    Attributes
    ----------
    rejection
        The A-ASSOCIATE-RJ PDU, if one came.
    """

    def __init__(self) -> None:
        self.rejection: A_ASSOCIATE_RJ | None = None

    def handlers(self) -> list[EventHandlerType]:
        """Return (event, handler) pairs to bind."""
        return [
            (evt.EVT_CONN_OPEN, self._on_open),
            (evt.EVT_PDU_RECV, self._on_pdu),
            (evt.EVT_CONN_CLOSE, self._on_close),
        ]

    def _on_open(self, event: Event) -> None:
        # Nagle's algorithm with delayed ACK costs up to 40 ms per message.
        wrapper = event.assoc.dul.socket
        if wrapper is not None and wrapper.socket is not None:
            with suppress(OSError):
                wrapper.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _on_pdu(self, event: Event) -> None:
        if isinstance(event.pdu, A_ASSOCIATE_RJ):
            self.rejection = event.pdu

    def _on_close(self, event: Event) -> None:
        # Whoever waits for an answer, or will, gets "none" at once.
        dimse = event.assoc.dimse
        dimse.get_msg = _no_message  # type: ignore[method-assign]
        dimse.msg_queue.put((None, None))


def _no_message(block: bool = False) -> tuple[None, None]:  # noqa: ARG001 (the library's signature)
    return None, None
