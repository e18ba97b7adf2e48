"""C-STORE past the library: data set fragments go from the socket to where they are written from.

Fenced: only complete C-STORE requests in an established association come here, everything else
stays with pynetdicom. It rests on internals of one version, `LIBRARY_VERSION`; with any other the
library receives alone, as it does with `ReceivePath.LIBRARY`.
"""

from __future__ import annotations

import logging
import os
from typing import Final, cast

import pynetdicom
from pynetdicom.association import Association
from pynetdicom.pdu_primitives import A_ABORT, A_P_ABORT

from node.bounded_socket import BoundedSocket
from node.command_set import StoreCommand, parse_store_request, store_response
from node.doorway import PDU_HEADER
from node.incoming import IncomingFile
from node.presentation_data import (
    COMMAND_BIT,
    LAST_BIT,
    P_DATA_TF_TYPE,
    PDV_HEADER,
    DataSetFragments,
    MalformedPdu,
    Opening,
    peek_message,
)
from node.rest import Checkpoint, SignallingQueue
from node.scp import StorageScp, StoreAnswer
from node.settings import ListenerSettings, ReceivePath
from node.transport import DulFactory
from node.upper_layer import GuardedDul

LOG = logging.getLogger(__name__)
LIBRARY_VERSION: Final = "3.0.4"
ESTABLISHED: Final = "Sta6"
TRANSPORT_CLOSED, INVALID_PDU = "Evt17", "Evt19"
# Nothing is missed while waiting; this bounds how late the idle limit is noticed.
LONGEST_WAIT_SECONDS: Final = 0.5


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
                self._end_lost(error)
                return
        self._checkpoint.wake()
        super()._read_pdu_data()

    def _end_lost(self, error: OSError) -> None:
        """End what cannot be read any more; a peer that may still listen hears an A-ABORT."""
        if self._abort_is_wanted():
            self._checkpoint.wake()
        else:
            self._end(INVALID_PDU if isinstance(error, TimeoutError) else TRANSPORT_CLOSED)

    def _end(self, event: str) -> None:
        self.event_queue.put(event)
        self._checkpoint.wake()

    def _serve_one(self) -> bool:
        """Serve one C-STORE request; False, with nothing taken, if something else comes."""
        opening = peek_message(self._bounded)
        if opening is None or opening.context_id not in self.assoc._accepted_cx:
            return False
        command = parse_store_request(opening.command_set)
        if command is None:
            return False
        incoming = self._storage.receive(
            self.assoc,
            str(self.assoc._accepted_cx[opening.context_id].transfer_syntax[0]),
            command,
        )
        try:
            self._receive_data_set(incoming, opening)
            answer = self._storage.keep(incoming, self.assoc)
        finally:
            incoming.discard()
        self._answer(command, opening.context_id, answer)
        return True

    def _receive_data_set(self, incoming: IncomingFile, opening: Opening) -> None:
        """Collect fragments until the last; the first may be in the PDU of the command."""
        fragments = DataSetFragments(self._bounded, opening)
        try:
            self._collect(incoming, fragments)
        except MalformedPdu:
            fragments.drop_pdu()
            raise

    def _collect(self, incoming: IncomingFile, fragments: DataSetFragments) -> None:
        while (length := fragments.next()) is not None:
            if incoming.size_bytes + length > self._max_instance_bytes:
                raise MalformedPdu("data set longer than allowed")
            while length:
                room = incoming.room(length)
                fragments.read_into(room)
                incoming.add(len(room))
                length -= len(room)
            self._idle_timer.restart()
            if self._abort_is_wanted():
                raise ConnectionAbortedError("aborted here")

    def _abort_is_wanted(self) -> bool:
        """Whether our side asked for an abort, which the library would serve in its own turn."""
        waiting = self.to_provider_queue.queue
        return bool(waiting) and isinstance(waiting[0], (A_ABORT, A_P_ABORT))

    def _answer(self, command: StoreCommand, context_id: int, answer: StoreAnswer) -> None:
        rest = store_response(command, answer.status, answer.error_comment)
        # 0 stands for a peer that takes PDUs of any length (PS3.8 Section D.1).
        room = (self.assoc.dimse.maximum_pdu_size or len(rest) + PDV_HEADER.size) - PDV_HEADER.size
        while rest:
            piece, rest = rest[:room], rest[room:]
            control = COMMAND_BIT if rest else COMMAND_BIT | LAST_BIT
            item = PDV_HEADER.pack(len(piece) + 2, context_id, control) + piece
            self._bounded.send(PDU_HEADER.pack(P_DATA_TF_TYPE, 0, len(item)) + item)
