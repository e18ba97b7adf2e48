"""What sends: DCMTK's storescu for the comparison, and a bare sender that needs no files."""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import time
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from pynetdicom.dsutils import encode

CONTEXT_ID = 1
COMMAND, LAST = 1, 2
SUCCESS = struct.pack("<HHIH", 0, 0x0900, 2, 0)


class Sending(StrEnum):
    """DCMTK lets small packets wait (Nagle's algorithm) unless its environment says otherwise."""

    AS_INSTALLED = "as-installed"
    UNDELAYED = "undelayed"


def storescu(folders: Iterable[Path], port: int, sending: Sending) -> tuple[float, int]:
    """Send each folder over an association of its own; return seconds and failed senders."""
    environment = {name: value for name, value in os.environ.items() if name != "TCP_NODELAY"}
    if sending is Sending.UNDELAYED:
        environment["TCP_NODELAY"] = "1"
    started = time.perf_counter()
    senders = [
        subprocess.Popen(
            ["storescu", "-R", "-aec", "SPINENODE", "+sd", "127.0.0.1", str(port), str(folder)],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for folder in folders
    ]
    failed = sum(sender.wait() != 0 for sender in senders)
    return time.perf_counter() - started, failed


class BareSender:
    """One association that stores CT instances from memory, waiting for each answer."""

    def __init__(self, port: int, called: str = "SPINENODE") -> None:
        self._connection = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connection.sendall(_associate_rq(called))
        pdu = self._pdu()
        if pdu[0] != 2:
            raise RuntimeError("association not accepted")
        at = pdu.index(b"\x51\0\0\x04")
        (self._max_pdu,) = struct.unpack_from(">I", pdu, at + 4)

    def store(self, sop_instance_uid: str, data_set: bytes) -> bool:
        """Send one instance; True if it was answered with success."""
        pieces = [_pdv(COMMAND | LAST, _command(sop_instance_uid))]
        room = self._max_pdu - 6
        for at in range(0, len(data_set), room):
            last = LAST if at + room >= len(data_set) else 0
            pieces.append(_pdv(last, data_set[at : at + room]))
        self._connection.sendall(b"".join(pieces))
        return SUCCESS in self._pdu()

    def close(self) -> None:
        self._connection.sendall(struct.pack(">BBII", 5, 0, 4, 0))
        self._pdu()
        self._connection.close()

    def _pdu(self) -> bytes:
        header = self._exactly(6)
        return header + self._exactly(struct.unpack(">I", header[2:])[0])

    def _exactly(self, count: int) -> bytes:
        received = b""
        while len(received) < count:
            chunk = self._connection.recv(count - len(received))
            if not chunk:
                raise ConnectionResetError("receiver closed the connection")
            received += chunk
        return received


def _pdv(control: int, data: bytes) -> bytes:
    return struct.pack(">BBIIBB", 4, 0, len(data) + 6, len(data) + 2, CONTEXT_ID, control) + data


def _command(sop_instance_uid: str) -> bytes:
    command = Dataset()
    command.AffectedSOPClassUID = CTImageStorage
    command.CommandField = 1
    command.MessageID = 1
    command.Priority = 0
    command.CommandDataSetType = 1
    command.AffectedSOPInstanceUID = sop_instance_uid
    encoded = encode(command, True, True) or b""
    return struct.pack("<HHII", 0, 0, 4, len(encoded)) + encoded


def _associate_rq(called: str) -> bytes:
    def item(kind: int, body: bytes) -> bytes:
        return struct.pack(">BBH", kind, 0, len(body)) + body

    syntaxes = item(0x30, CTImageStorage.encode()) + item(0x40, ExplicitVRLittleEndian.encode())
    context = item(0x20, bytes((CONTEXT_ID, 0, 0, 0)) + syntaxes)
    user = item(0x50, item(0x51, struct.pack(">I", 16384)) + item(0x52, b"1.2.3"))
    variable = item(0x10, b"1.2.840.10008.3.1.1.1") + context + user
    fixed = b"\0\1\0\0" + called.encode().ljust(16) + b"BENCHMARK".ljust(16) + b"\0" * 32
    return struct.pack(">BBI", 1, 0, len(fixed + variable)) + fixed + variable
