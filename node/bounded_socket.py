"""The socket of an association: a small buffer to look ahead in, and a time limit per PDU."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import time
from typing import Final

from pynetdicom.association import Association
from pynetdicom.transport import AssociationSocket

from node.doorway import MAX_ASSOCIATE_RQ_BYTES, PDU_HEADER
from node.rest import wait_readable
from node.settings import ListenerLimits

TIMEVAL: Final = struct.Struct("@ll")
INTERRUPTED_SECONDS: Final = 0.1
"""After which `interrupt` is noticed in the middle of a PDU over TLS."""
READ_AHEAD_BYTES: Final = 32_768
"""Takes a small PDU with the header behind it in one call, and copies little of a long one."""


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
        self._idle_seconds = limits.idle_seconds
        # The kernel collects all that is asked for before it wakes us; TLS has no such flag.
        self._whole = 0 if isinstance(connection, ssl.SSLSocket) else socket.MSG_WAITALL
        _limit_waiting(connection, limits.idle_seconds)
        self.max_pdu_bytes = max(limits.max_pdu_bytes, MAX_ASSOCIATE_RQ_BYTES)
        self._buffer = bytearray(self.max_pdu_bytes + PDU_HEADER.size)
        self._view = memoryview(self._buffer)
        self._view[: len(first_pdu)] = first_pdu
        self._start, self._end = 0, len(first_pdu)
        self._is_receiving = self._is_interrupted = False

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

    def take(self, nr_bytes: int) -> memoryview:
        """Return the next bytes and take them; see `peek`."""
        if self._end - self._start < nr_bytes:
            self._fill(nr_bytes)
        self._start += nr_bytes
        return self._view[self._start - nr_bytes : self._start]

    def consume(self, nr_bytes: int) -> None:
        """Take bytes that were peeked at."""
        self._start += nr_bytes

    def deadline(self) -> float:
        """Return when a PDU that begins now has to be complete, by the monotonic clock."""
        return time.monotonic() + self._idle_seconds

    def read_into(self, target: memoryview, deadline: float) -> None:
        """Fill `target` with the next bytes, past the buffer.

        Raises
        ------
        OSError
            As `peek`.
        """
        wanted = len(target)
        held = min(self._end - self._start, wanted)
        target[:held] = self._view[self._start : self._start + held]
        self._start += held
        while held < wanted:
            held += self._receive(target[held:], self._whole)
            if held < wanted and time.monotonic() > deadline:
                raise TimeoutError("PDU took too long")

    def interrupt(self) -> None:
        """Read nothing more, also in a thread that waits for the rest of a PDU; sending goes on."""
        self._is_interrupted = True
        if self.socket is None or isinstance(self.socket, ssl.SSLSocket):
            return
        if self._is_receiving:
            with contextlib.suppress(OSError):
                self.socket.shutdown(socket.SHUT_RD)

    def _fill(self, nr_bytes: int) -> None:
        if self._start + nr_bytes > len(self._buffer) or self._start == self._end:
            waiting = self._end - self._start
            if waiting:
                self._view[:waiting] = bytes(self._view[self._start : self._end])
            self._start, self._end = 0, waiting
        deadline = self.deadline()
        end = self._start + nr_bytes
        while self._end < end:
            stop = max(end, self._end + READ_AHEAD_BYTES)
            self._end += self._receive(self._view[self._end : stop], 0)
            if self._end < end and time.monotonic() > deadline:
                raise TimeoutError("PDU took too long")

    def _receive(self, target: memoryview, flags: int) -> int:
        """Read once."""
        if self.socket is None:
            raise ConnectionResetError("connection is closed")
        self._is_receiving = True
        try:
            if isinstance(self.socket, ssl.SSLSocket):
                self._await_record(self.socket)
            if self._is_interrupted:
                raise ConnectionResetError("reading was ended here")
            count = self.socket.recv_into(target, 0, flags)
        except BlockingIOError as error:
            raise TimeoutError("peer is silent inside a PDU") from error
        finally:
            self._is_receiving = False
        if not count:
            raise ConnectionResetError("peer closed the connection")
        return int(count)

    def _await_record(self, connection: ssl.SSLSocket) -> None:
        """Wait outside the TLS layer, which could not send any more after an end within."""
        deadline = self.deadline()
        while not (self._is_interrupted or connection.pending()):
            if wait_readable((connection.fileno(),), INTERRUPTED_SECONDS):
                return
            if time.monotonic() > deadline:
                raise TimeoutError("peer is silent inside a PDU")

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


def _limit_waiting(connection: socket.socket, seconds: float) -> None:
    """Bound each call by the kernel where it can be: Python's own time limit polls every time."""
    if isinstance(connection, ssl.SSLSocket):
        connection.settimeout(seconds)
        return
    connection.settimeout(None)
    limit = TIMEVAL.pack(int(seconds), int(seconds % 1 * 1e6))
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)


def _pending(connection: socket.socket) -> bool:
    # Decrypted bytes wait inside the TLS layer, where no poll sees them.
    return isinstance(connection, ssl.SSLSocket) and connection.pending() > 0
