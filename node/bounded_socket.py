"""The socket of an association: one fixed buffer, large reads, and a time limit per PDU."""

from __future__ import annotations

import socket
import ssl
import time

from pynetdicom.association import Association
from pynetdicom.transport import AssociationSocket

from node.doorway import MAX_ASSOCIATE_RQ_BYTES, PDU_HEADER
from node.rest import wait_readable
from node.settings import ListenerLimits


class BoundedSocket(AssociationSocket):
    """Gives the reactor the PDU read in the doorway first, then whatever comes.

    Every PDU has to be complete within `idle_seconds` and no longer than announced. What
    `peek` returns is a view of the buffer, valid until the next call.
    """

    def __init__(
        self,
        association: Association,
        connection: socket.socket,
        first_pdu: bytes,
        limits: ListenerLimits,
    ) -> None:
        super().__init__(association, client_socket=connection)
        connection.settimeout(limits.idle_seconds)
        self._idle_seconds = limits.idle_seconds
        capacity = max(limits.max_pdu_bytes, MAX_ASSOCIATE_RQ_BYTES) + PDU_HEADER.size
        self._buffer = bytearray(capacity)
        self._view = memoryview(self._buffer)
        self._view[: len(first_pdu)] = first_pdu
        self._start, self._end = 0, len(first_pdu)

    @property
    def ready(self) -> bool:
        """Whether there is something to read, or the peer has closed."""
        return self.wait(0)

    def recv(self, nr_bytes: int) -> bytearray:
        """Read exactly `nr_bytes`, or fewer if the peer closed.

        Raises
        ------
        OSError
            The PDU is longer than allowed, or takes too long; the reactor then closes.
        """
        try:
            piece = bytearray(self.peek(nr_bytes))
        except ConnectionResetError:
            piece = bytearray(self._view[self._start : self._end])
        self.consume(len(piece))
        return piece

    def peek(self, nr_bytes: int) -> memoryview:
        """Return the next bytes without taking them, waiting until they are there.

        Raises
        ------
        ConnectionResetError
            The peer closed before.
        OSError
            Longer than the buffer, too slow, or the connection failed.
        """
        if nr_bytes > len(self._buffer):
            raise OSError("PDU longer than announced")
        if self._end - self._start < nr_bytes:
            self._fill(nr_bytes)
        return self._view[self._start : self._start + nr_bytes]

    def consume(self, nr_bytes: int) -> None:
        """Take bytes that were peeked at."""
        self._start += nr_bytes

    def _fill(self, nr_bytes: int) -> None:
        if self.socket is None:
            raise ConnectionResetError("connection is closed")
        if self._start + nr_bytes > len(self._buffer) or self._start == self._end:
            waiting = self._end - self._start
            self._view[:waiting] = bytes(self._view[self._start : self._end])
            self._start, self._end = 0, waiting
        deadline = time.monotonic() + self._idle_seconds
        while self._end - self._start < nr_bytes:
            count = self.socket.recv_into(self._view[self._end :])
            if count == 0:
                raise ConnectionResetError("peer closed the connection")
            self._end += count
            if self._end - self._start < nr_bytes and time.monotonic() > deadline:
                raise TimeoutError("PDU took too long")

    def wait(self, seconds: float, other: int | None = None) -> bool:
        """Wait until there is something to read.

        False if it stays silent for `seconds`, or only the descriptor `other` became readable.
        """
        if self.socket is None:
            return False
        if self._end > self._start or _pending(self.socket):
            return True
        descriptor = self.socket.fileno()
        if descriptor < 0:
            return False
        awaited = (descriptor,) if other is None else (descriptor, other)
        return descriptor in wait_readable(awaited, seconds)


def _pending(connection: socket.socket) -> bool:
    # Decrypted bytes wait inside the TLS layer, where no poll sees them.
    return isinstance(connection, ssl.SSLSocket) and connection.pending() > 0
