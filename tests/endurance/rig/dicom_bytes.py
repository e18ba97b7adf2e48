"""A DICOM conversation as bytes, built here so that every byte of it can be damaged."""

from __future__ import annotations

import socket
import struct

from pydicom.dataset import Dataset
from pynetdicom.dsutils import encode

CT, VERIFICATION = b"1.2.840.10008.5.1.4.1.1.2", b"1.2.840.10008.1.1"
IMPLICIT, EXPLICIT = b"1.2.840.10008.1.2", b"1.2.840.10008.1.2.1"
DEFLATED, BIG_ENDIAN = b"1.2.840.10008.1.2.1.99", b"1.2.840.10008.1.2.2"
CONTEXTS = {1: (CT, IMPLICIT), 3: (CT, EXPLICIT), 5: (CT, DEFLATED), 7: (CT, BIG_ENDIAN)}
ECHO_CONTEXT = 9
ACCEPT, RELEASE_RQ = 2, struct.pack(">BBI", 5, 0, 4) + bytes(4)
COMMAND, LAST = 1, 2


def item(kind: int, body: bytes) -> bytes:
    return struct.pack(">BBH", kind, 0, len(body)) + body


def associate_rq(calling: bytes = b"HOSTILE") -> bytes:
    """Return an A-ASSOCIATE-RQ for CT in four transfer syntaxes and for verification."""
    contexts = {**CONTEXTS, ECHO_CONTEXT: (VERIFICATION, IMPLICIT)}
    variable = item(0x10, b"1.2.840.10008.3.1.1.1") + b"".join(
        item(0x20, bytes((number, 0, 0, 0)) + item(0x30, abstract) + item(0x40, syntax))
        for number, (abstract, syntax) in contexts.items()
    )
    variable += item(0x50, item(0x51, struct.pack(">I", 16384)) + item(0x52, b"1.2.3"))
    fixed = b"\0\1\0\0" + b"SPINENODE".ljust(16) + calling.ljust(16) + b"\0" * 32
    return struct.pack(">BBI", 1, 0, len(fixed + variable)) + fixed + variable


def p_data(context_id: int, control: int, data: bytes) -> bytes:
    """Return a P-DATA-TF PDU with one value."""
    body = struct.pack(">IBB", len(data) + 2, context_id, control) + data
    return struct.pack(">BBI", 4, 0, len(body)) + body


def store_command(sop_instance_uid: str, message_id: int = 7) -> bytes:
    """Return the command set of a C-STORE request."""
    command = Dataset()
    command.AffectedSOPClassUID = CT.decode()
    command.CommandField = 1
    command.MessageID = message_id
    command.Priority = 0
    command.CommandDataSetType = 1
    command.AffectedSOPInstanceUID = sop_instance_uid
    encoded = encode(command, True, True)
    assert encoded is not None
    return struct.pack("<HHII", 0, 0, 4, len(encoded)) + encoded


class RawPeer:
    """Speaks bytes to the node; whatever it does not answer in time counts as silence."""

    def __init__(self, port: int, seconds: float = 5.0) -> None:
        self.connection = socket.create_connection(("127.0.0.1", port), timeout=seconds)

    def send(self, data: bytes) -> bool:
        """Whether the other side still took it."""
        try:
            self.connection.sendall(data)
        except OSError:
            return False
        return True

    def answer(self) -> bytes:
        """Return the next PDU; empty when there is none any more."""
        header = self._read(6)
        if len(header) < 6:
            return b""
        return header + self._read(struct.unpack(">I", header[2:])[0])

    def finish(self) -> None:
        """Say that nothing follows, and read until the other side is done too."""
        try:
            self.connection.shutdown(socket.SHUT_WR)
            while self.connection.recv(65536):
                pass
        except OSError:
            pass
        self.connection.close()

    def _read(self, nr_bytes: int) -> bytes:
        received = bytearray()
        while len(received) < nr_bytes:
            try:
                chunk = self.connection.recv(nr_bytes - len(received))
            except OSError:
                chunk = b""
            if not chunk:
                break
            received += chunk
        return bytes(received)
