"""C-STORE past the library: data set fragments go from the socket's buffer to the file.

Fenced: only complete C-STORE requests in an established association come here, everything else
stays with pynetdicom. It rests on internals of one version, `LIBRARY_VERSION`; with any other the
library receives alone, as it does with `ReceivePath.LIBRARY`.
"""

from __future__ import annotations

import logging
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, cast

import pynetdicom
from pynetdicom.association import Association
from pynetdicom.pdu_primitives import A_ABORT, A_P_ABORT

from node.bounded_socket import BoundedSocket
from node.command_set import StoreCommand, parse_store_request, store_response
from node.doorway import PDU_HEADER
from node.incoming import IncomingFile
from node.rest import Checkpoint, SignallingQueue
from node.scp import StorageScp, StoreAnswer
from node.settings import ListenerSettings, ReceivePath
from node.transport import DulFactory
from node.upper_layer import GuardedDul

LOG = logging.getLogger(__name__)
LIBRARY_VERSION: Final = "3.0.4"
ESTABLISHED: Final = "Sta6"
P_DATA_TF_TYPE: Final = 0x04
PDV_HEADER: Final = struct.Struct(">IBB")
PDV_OVERHEAD: Final = PDV_HEADER.size
COMMAND_BIT, LAST_BIT = 1, 2
TRANSPORT_CLOSED, INVALID_PDU = "Evt17", "Evt19"
# Nothing is missed while waiting; this bounds how late the idle limit is noticed.
LONGEST_WAIT_SECONDS: Final = 0.5


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
    if pynetdicom.__version__ != LIBRARY_VERSION or not hasattr(os, "eventfd"):
        LOG.warning(
            "not Linux with pynetdicom %s: data sets go through the library", LIBRARY_VERSION
        )
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
        self._outgoing = SignallingQueue()
        self.to_provider_queue = self._outgoing
        self._checkpoint = Checkpoint()
        association._reactor_checkpoint = self._checkpoint

    @property
    def _bounded(self) -> BoundedSocket:
        return cast(BoundedSocket, self.socket)

    def run_reactor(self) -> None:
        """Run the library's loop, then let the association's thread see that it ended."""
        try:
            super().run_reactor()
        finally:
            self._outgoing.close()
            self._checkpoint.wake()

    def _is_transport_event(self) -> bool:
        """Sleep until there is something to do, then look for it as the library does."""
        if self.state_machine.current_state == ESTABLISHED and not self._wait():
            return False
        return bool(super()._is_transport_event())

    def _wait(self) -> bool:
        """Wait for the peer; False if the library has to do something first, or nothing came."""
        if not (self.assoc.dimse.msg_queue.empty() and self.to_user_queue.empty()):
            return self._bounded.ready
        self._checkpoint.rest()
        if self._bounded.wait(LONGEST_WAIT_SECONDS, self._outgoing.descriptor):
            return True
        self._outgoing.acknowledge()
        if self._idle_timer.expired:
            self._checkpoint.wake()
        return False

    def _read_pdu_data(self) -> None:
        """Serve C-STORE requests as long as they come, and leave the rest to the library."""
        if self.state_machine.current_state == ESTABLISHED and self.assoc.dimse.message is None:
            try:
                while self._serve_one():
                    self._idle_timer.restart()
                    if not self._wait():
                        return
            except MalformedPdu as error:
                LOG.error("association aborted: %s", error)
                self._end(INVALID_PDU)
                return
            except OSError as error:
                LOG.error("association lost inside an object: %s", type(error).__name__)
                self._end(TRANSPORT_CLOSED)
                return
        self._checkpoint.wake()
        super()._read_pdu_data()

    def _end(self, event: str) -> None:
        self.event_queue.put(event)
        self._checkpoint.wake()

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
            command.sop_class_uid,
            command.sop_instance_uid,
        )
        try:
            self._receive_data_set(incoming, context_id, pdu, pieces[1:])
            answer = self._storage.keep(incoming, self.assoc)
        finally:
            incoming.discard()
        self._answer(command, context_id, answer)
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

    def _answer(self, command: StoreCommand, context_id: int, answer: StoreAnswer) -> None:
        rest = store_response(command, answer.status, answer.error_comment)
        # 0 stands for a peer that takes PDUs of any length (PS3.8 Section D.1).
        room = (self.assoc.dimse.maximum_pdu_size or len(rest) + PDV_OVERHEAD) - PDV_OVERHEAD
        while rest:
            piece, rest = rest[:room], rest[room:]
            control = COMMAND_BIT if rest else COMMAND_BIT | LAST_BIT
            item = PDV_HEADER.pack(len(piece) + 2, context_id, control) + piece
            self._bounded.send(PDU_HEADER.pack(P_DATA_TF_TYPE, 0, len(item)) + item)


def _store_command(first: Fragment) -> StoreCommand | None:
    """Return the command set if a fragment is a whole, proper C-STORE request with data."""
    if first.control & (COMMAND_BIT | LAST_BIT) != COMMAND_BIT | LAST_BIT:
        return None
    return parse_store_request(bytes(first.data))
