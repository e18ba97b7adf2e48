"""From a TCP connection to a first PDU: everything a silent or strange peer could drag out.

Runs in a thread per connection, outside the accept loop and before an association exists, with
one deadline for TLS handshake and A-ASSOCIATE-RQ together (PS3.8 Section 9.1.5 ARTIM).
"""

from __future__ import annotations

import socket
import ssl
import struct
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass

from node.admission import Rejection
from node.errors import NodeError
from node.settings import ListenerLimits

ASSOCIATE_RQ = 0x01
ASSOCIATE_RJ = 0x03
PDU_HEADER = struct.Struct(">BBI")
# 128 presentation contexts with all transfer syntaxes stay well below this.
MAX_ASSOCIATE_RQ_BYTES = 262_144
# Fixed fields of an A-ASSOCIATE-RQ up to the variable items (PS3.8 Table 9-11).
FIXED_FIELDS_BYTES = 74


class Unwelcome(NodeError):
    """The connection ended before a proper A-ASSOCIATE-RQ; the text is a stable code."""


@dataclass(frozen=True)
class Caller:
    """A connection whose first PDU, an A-ASSOCIATE-RQ, has been read whole."""

    connection: socket.socket
    first_pdu: bytes

    @property
    def called_ae_title(self) -> str:
        """Called AE title, bytes 11 to 26 of the PDU."""
        return _ae_title(self.first_pdu[10:26])

    @property
    def calling_ae_title(self) -> str:
        """Calling AE title, bytes 27 to 42 of the PDU."""
        return _ae_title(self.first_pdu[26:42])

    def reject(self, rejection: Rejection) -> None:
        """Answer A-ASSOCIATE-RJ; a peer that is gone already does not matter."""
        pdu = PDU_HEADER.pack(ASSOCIATE_RJ, 0, 4) + bytes(
            (0, rejection.result, rejection.source, rejection.reason)
        )
        try:
            self.connection.sendall(pdu)
        except OSError:
            return


class Doorway:
    """Reads first PDUs, holding a bounded number of connections that are not through yet."""

    def __init__(self, limits: ListenerLimits, tls: ssl.SSLContext | None) -> None:
        self._limits = limits
        self._tls = tls
        self._lock = threading.Lock()
        self._waiting: OrderedDict[int, socket.socket] = OrderedDict()

    def enter(self, connection: socket.socket) -> None:
        """Note a new connection; when too many wait, the one waiting longest is cut off."""
        with self._lock:
            self._waiting[id(connection)] = connection
            excess = len(self._waiting) - self._limits.max_connecting
            oldest = self._waiting.popitem(last=False)[1] if excess > 0 else None
        if oldest is not None:
            _shut(oldest)

    def receive(self, connection: socket.socket) -> Caller:
        """Shake hands and read the first PDU within the limit.

        Raises
        ------
        Unwelcome
            Silence, not DICOM, failed TLS, closed early.
        """
        deadline = time.monotonic() + self._limits.handshake_seconds
        try:
            secured = self._secured(connection)
            return Caller(secured, _read_associate_rq(secured, deadline))
        except TimeoutError as error:
            raise Unwelcome("silent") from error
        except ssl.SSLError as error:
            raise Unwelcome("tls_failed") from error
        except OSError as error:
            raise Unwelcome("closed_early") from error
        finally:
            with self._lock:
                self._waiting.pop(id(connection), None)

    def _secured(self, connection: socket.socket) -> socket.socket:
        connection.settimeout(self._limits.handshake_seconds)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._tls is None:
            return connection
        return self._tls.wrap_socket(connection, server_side=True)


def _ae_title(field: bytes) -> str:
    # AE titles reach logs and metrics: whatever is no printable ASCII shows as a question mark.
    text = field.decode("ascii", "replace").strip("\0 ")
    return "".join(each if " " <= each <= "~" else "?" for each in text)


def _read_associate_rq(connection: socket.socket, deadline: float) -> bytes:
    header = _read(connection, PDU_HEADER.size, deadline)
    pdu_type, _, length = PDU_HEADER.unpack(header)
    if pdu_type != ASSOCIATE_RQ or length > MAX_ASSOCIATE_RQ_BYTES:
        raise Unwelcome("not_dicom")
    pdu = header + _read(connection, length, deadline)
    if len(pdu) < FIXED_FIELDS_BYTES:
        raise Unwelcome("not_dicom")
    return pdu


def _read(connection: socket.socket, nr_bytes: int, deadline: float) -> bytes:
    received = bytearray()
    while len(received) < nr_bytes:
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutError
        connection.settimeout(remaining)
        chunk = connection.recv(nr_bytes - len(received))
        if not chunk:
            raise ConnectionResetError
        received += chunk
    return bytes(received)


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return
