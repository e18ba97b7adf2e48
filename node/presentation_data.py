"""P-DATA-TF PDUs read from a socket (PS3.8 Section 9.3.5), their fragments past any buffer."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from node.bounded_socket import BoundedSocket
from node.doorway import PDU_HEADER

P_DATA_TF_TYPE: Final = 0x04
PDV_HEADER: Final = struct.Struct(">IBB")
COMMAND_BIT, LAST_BIT = 1, 2
LONGEST_COMMAND_BYTES: Final = 4096
"""A C-STORE request has a few hundred; what is longer is the library's business."""
DROPPED_BYTES: Final = 65_536


class MalformedPdu(Exception):
    """A P-DATA-TF PDU that is not one, or not the one expected (PS3.8 Section 9.3.5)."""


@dataclass(frozen=True)
class Opening:
    """A whole command set at the beginning of a PDU; `rest` bytes of the PDU follow it."""

    context_id: int
    command_set: bytes
    taken: int
    rest: int


def peek_message(connection: BoundedSocket) -> Opening | None:
    """Return the command that comes next, taking nothing; None if something else comes.

    Raises
    ------
    MalformedPdu
        Item lengths do not fit the PDU.
    OSError
        Longer than allowed, too slow, or the connection failed.
    """
    try:
        pdu_type, _, length = PDU_HEADER.unpack(connection.peek(PDU_HEADER.size))
        if pdu_type != P_DATA_TF_TYPE or not length:
            return None
        if length < PDV_HEADER.size:
            raise MalformedPdu("item header cut off")
        if length > connection.max_pdu_bytes:
            raise OSError("PDU longer than announced")
        start = PDU_HEADER.size + PDV_HEADER.size
        item, context_id, control = PDV_HEADER.unpack_from(connection.peek(start), PDU_HEADER.size)
        if item < 2 or item + 4 > length:
            raise MalformedPdu("item length beyond the PDU")
        if control & (COMMAND_BIT | LAST_BIT) != COMMAND_BIT | LAST_BIT:
            return None
        if item > LONGEST_COMMAND_BYTES:
            return None
        end = start + item - 2
        command_set = bytes(connection.peek(end)[start:])
    except ConnectionResetError:
        return None
    return Opening(context_id, command_set, end, PDU_HEADER.size + length - end)


class DataSetFragments:
    """The fragments of one data set, one after the other, in the PDUs they come in.

    Parameters
    ----------
    opening
        The command, which is taken, and the PDU in which the first fragment may be.
    """

    def __init__(self, connection: BoundedSocket, opening: Opening) -> None:
        self._connection = connection
        self._context_id = opening.context_id
        self._rest = opening.rest
        self._deadline = connection.deadline()
        self._is_last = False
        connection.consume(opening.taken)

    def next(self) -> int | None:
        """Return the length of the next fragment, to be read whole; None behind the last.

        Raises
        ------
        MalformedPdu
            Not a fragment of this data set, or its length does not fit the PDU.
        OSError
            As `BoundedSocket.peek`.
        """
        if self._is_last:
            if self._rest:
                raise MalformedPdu("fragments behind the last one")
            return None
        connection = self._connection
        if not self._rest:
            self._begin_pdu()
        if self._rest < PDV_HEADER.size:
            raise MalformedPdu("item header cut off")
        item, context_id, control = PDV_HEADER.unpack(connection.take(PDV_HEADER.size))
        self._rest -= PDV_HEADER.size
        if not 2 <= item <= self._rest + 2:
            raise MalformedPdu("item length beyond the PDU")
        if context_id != self._context_id or control & COMMAND_BIT:
            raise MalformedPdu("another message inside a data set")
        self._is_last = bool(control & LAST_BIT)
        return int(item) - 2

    def read_into(self, target: memoryview) -> None:
        """Read the next bytes of the fragment."""
        self._connection.read_into(target, self._deadline)
        self._rest -= len(target)

    def drop_pdu(self) -> None:
        """Read the PDU to its end, behind which whoever reads next goes on."""
        while self._rest:
            piece = bytearray(min(self._rest, DROPPED_BYTES))
            self.read_into(memoryview(piece))

    def _begin_pdu(self) -> None:
        connection = self._connection
        self._deadline = connection.deadline()
        pdu_type, _, length = PDU_HEADER.unpack(connection.take(PDU_HEADER.size))
        if pdu_type != P_DATA_TF_TYPE:
            raise ConnectionAbortedError("data set ended by another PDU")
        if length > connection.max_pdu_bytes:
            raise OSError("PDU longer than announced")
        self._rest = length
