"""C-STORE past the library: data set fragments go from the socket's buffer to the file.

Fenced: only complete C-STORE requests in an established association come here, everything else
stays with pynetdicom. It rests on internals of one version, `LIBRARY_VERSION`; with any other the
library receives alone, as it does with `ReceivePath.LIBRARY`.
"""

from __future__ import annotations

import logging
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Final, cast

import pynetdicom
from pydicom.dataset import Dataset
from pynetdicom.association import Association
from pynetdicom.dimse_messages import C_STORE_RSP
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.dsutils import decode
from pynetdicom.pdu import P_DATA_TF
from pynetdicom.pdu_primitives import A_ABORT, A_P_ABORT

from node.bounded_socket import BoundedSocket
from node.doorway import PDU_HEADER
from node.incoming import IncomingFile
from node.scp import StorageScp
from node.settings import ListenerSettings, ReceivePath
from node.transport import DulFactory
from node.upper_layer import GuardedDul

LOG = logging.getLogger(__name__)
LIBRARY_VERSION: Final = "3.0.4"
ESTABLISHED: Final = "Sta6"
P_DATA_TF_TYPE: Final = 0x04
PDV_HEADER: Final = struct.Struct(">IBB")
COMMAND_BIT, LAST_BIT = 1, 2
C_STORE_RQ: Final = 0x0001
NO_DATA_SET: Final = 0x0101
TRANSPORT_CLOSED, INVALID_PDU = "Evt17", "Evt19"
# How long to wait for the sender's next request before looking after other things.
NEXT_REQUEST_SECONDS: Final = 0.02


class MalformedPdu(Exception):
    """A P-DATA-TF PDU that is not one, or not the one expected (PS3.8 Section 9.3.5)."""


@dataclass(frozen=True)
class Fragment:
    """One presentation data value (PS3.8 Annex E)."""

    context_id: int
    control: int
    data: memoryview


def dul_factory(listener: ListenerSettings, storage: StorageScp) -> DulFactory:
    """Return what makes the upper layer of an association, by setting and by library version."""
    if listener.receive_path is ReceivePath.LIBRARY:
        return GuardedDul
    if pynetdicom.__version__ != LIBRARY_VERSION:
        LOG.warning("pynetdicom is not %s: data sets go through the library", LIBRARY_VERSION)
        return GuardedDul

    def make(association: Association) -> GuardedDul:
        return StreamingDul(association, storage, listener.limits.max_instance_bytes)

    return make


def fragments(pdu: memoryview) -> Iterator[Fragment]:
    """Yield the fragments of a whole P-DATA-TF PDU, header included.

    Raises
    ------
    MalformedPdu
        Item lengths do not fit the PDU.
    """
    at = PDU_HEADER.size
    while at < len(pdu):
        if at + PDV_HEADER.size > len(pdu):
            raise MalformedPdu("item header cut off")
        length, context_id, control = PDV_HEADER.unpack_from(pdu, at)
        end = at + 4 + length
        if length < 2 or end > len(pdu):
            raise MalformedPdu("item length beyond the PDU")
        yield Fragment(context_id, control, pdu[at + PDV_HEADER.size : end])
        at = end


class StreamingDul(GuardedDul):
    """Upper layer service provider that serves C-STORE requests itself."""

    def __init__(
        self, association: Association, storage: StorageScp, max_instance_bytes: int
    ) -> None:
        super().__init__(association)
        self._storage = storage
        self._max_instance_bytes = max_instance_bytes

    @property
    def _bounded(self) -> BoundedSocket:
        return cast(BoundedSocket, self.socket)

    def _read_pdu_data(self) -> None:
        """Serve C-STORE requests as long as they come, and leave the rest to the library."""
        if self.state_machine.current_state != ESTABLISHED or self.assoc.dimse.message is not None:
            super()._read_pdu_data()
            return
        try:
            while self._serve_one():
                self._idle_timer.restart()
                if not self._next_is_near():
                    return
        except MalformedPdu as error:
            LOG.error("association aborted: %s", error)
            self.event_queue.put(INVALID_PDU)
            return
        except OSError as error:
            LOG.error("association lost inside an object: %s", type(error).__name__)
            self.event_queue.put(TRANSPORT_CLOSED)
            return
        super()._read_pdu_data()

    def _next_is_near(self) -> bool:
        """Wait a moment for the next request, unless the library has something to send."""
        connection = self._bounded
        if connection.ready:
            return True
        if connection.socket is None or not self.to_provider_queue.empty():
            return False
        return connection.wait(NEXT_REQUEST_SECONDS)

    def _serve_one(self) -> bool:
        """Serve one C-STORE request; False, with nothing taken, if something else comes."""
        try:
            pdu = self._peek_pdu()
        except ConnectionResetError:
            return False
        if pdu is None:
            return False
        pieces = list(fragments(pdu))
        command = _store_command(pieces[0]) if pieces else None
        if command is None or pieces[0].context_id not in self.assoc._accepted_cx:
            return False
        context_id = pieces[0].context_id
        incoming = self._storage.receive(
            self.assoc,
            str(self.assoc._accepted_cx[context_id].transfer_syntax[0]),
            str(command.AffectedSOPClassUID),
            str(command.AffectedSOPInstanceUID),
        )
        try:
            self._receive_data_set(incoming, context_id, pdu, pieces[1:])
            status = self._storage.keep(incoming, self.assoc)
        finally:
            incoming.discard()
        self._answer(command, context_id, status)
        return True

    def _peek_pdu(self) -> memoryview | None:
        """Return the next P-DATA-TF PDU whole, or None if another kind comes."""
        pdu_type, _, length = PDU_HEADER.unpack(self._bounded.peek(PDU_HEADER.size))
        if pdu_type != P_DATA_TF_TYPE:
            return None
        return self._bounded.peek(PDU_HEADER.size + length)

    def _receive_data_set(
        self, incoming: IncomingFile, context_id: int, pdu: memoryview, pieces: list[Fragment]
    ) -> None:
        """Write fragments until the last; `pieces` are those left in the PDU of the command."""
        while True:
            for position, piece in enumerate(pieces):
                if piece.context_id != context_id or piece.control & COMMAND_BIT:
                    raise MalformedPdu("another message inside a data set")
                incoming.write(piece.data)
                if incoming.size_bytes > self._max_instance_bytes:
                    raise MalformedPdu("data set longer than allowed")
                if piece.control & LAST_BIT:
                    if position + 1 < len(pieces):
                        raise MalformedPdu("fragments behind the last one")
                    self._bounded.consume(len(pdu))
                    return
            self._bounded.consume(len(pdu))
            self._idle_timer.restart()
            if self._abort_is_wanted():
                raise ConnectionAbortedError("aborted here")
            following = self._peek_pdu()
            if following is None:
                raise ConnectionAbortedError("data set ended by another PDU")
            pdu = following
            pieces = list(fragments(pdu))

    def _abort_is_wanted(self) -> bool:
        """Whether our side asked for an abort, which the library would serve in its own turn."""
        waiting = self.to_provider_queue.queue
        return bool(waiting) and isinstance(waiting[0], (A_ABORT, A_P_ABORT))

    def _answer(self, command: Dataset, context_id: int, status: Dataset) -> None:
        response = C_STORE()
        response.MessageID = command.MessageID
        response.MessageIDBeingRespondedTo = command.MessageID
        response.AffectedSOPClassUID = command.AffectedSOPClassUID
        response.AffectedSOPInstanceUID = command.AffectedSOPInstanceUID
        response.Status = status.Status
        if "ErrorComment" in status:
            response.ErrorComment = status.ErrorComment
        message = C_STORE_RSP()
        message.primitive_to_message(response)
        for primitive in message.encode_msg(context_id, self.assoc.dimse.maximum_pdu_size):
            pdu = P_DATA_TF()
            pdu.from_primitive(primitive)
            self._send(pdu)


def _store_command(first: Fragment) -> Dataset | None:
    """Return the command set if a fragment is a whole, proper C-STORE request with data."""
    if first.control & (COMMAND_BIT | LAST_BIT) != COMMAND_BIT | LAST_BIT:
        return None
    command = decode(BytesIO(bytes(first.data)), True, True)
    if command.get("CommandField") != C_STORE_RQ:
        return None
    if command.get("CommandDataSetType", NO_DATA_SET) == NO_DATA_SET:
        return None
    needed = ("MessageID", "AffectedSOPClassUID", "AffectedSOPInstanceUID")
    return command if all(command.get(keyword) is not None for keyword in needed) else None
