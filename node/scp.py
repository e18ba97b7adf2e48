"""C-STORE and C-ECHO as SCP: an instance is answered 0x0000 only once it is durable."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from pydicom.dataset import Dataset
from pynetdicom import AE, _config, evt
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.events import Event, EventHandlerType

from node.command_set import StoreCommand
from node.errors import (
    STATUS_OUT_OF_RESOURCES,
    STATUS_SUCCESS,
    NotAcceptable,
    OutOfResources,
)
from node.incoming import IncomingFile, StoreRequest
from node.late_entries import Addition
from node.observer import NodeObserver
from node.received import StoredInstance
from node.settings import ListenerLimits, ListenerSettings
from node.sop_classes import (
    CT_TRANSFER_SYNTAXES,
    RECEIVED_SOP_CLASSES,
    VERIFICATION,
    VERIFICATION_TRANSFER_SYNTAXES,
)
from node.spool import Spool

LOG = logging.getLogger(__name__)
# The library's own message handlers format every request, identifiers included, into its log.
_config.LOG_HANDLER_LEVEL = "none"

StoredCallback = Callable[[StoredInstance, Addition, Association], None]
NO_LIMIT = 2**31
ERROR_COMMENT_CHARACTERS = 64
"""Value representation LO (PS3.5 Section 6.2)."""


def application_entity(listener: ListenerSettings) -> AE:
    """Return an AE that accepts CT storage and verification, and nothing else.

    AE titles and association counts are decided in the doorway, so the library's own checks
    are left open.
    """
    ae = AE(ae_title=listener.ae_title)
    ae.maximum_associations = NO_LIMIT
    ae.maximum_pdu_size = listener.limits.max_pdu_bytes
    ae.network_timeout = listener.limits.idle_seconds
    ae.acse_timeout = listener.limits.handshake_seconds
    ae.dimse_timeout = listener.limits.idle_seconds
    ae.add_supported_context(VERIFICATION, list(VERIFICATION_TRANSFER_SYNTAXES))
    for sop_class_uid in RECEIVED_SOP_CLASSES:
        ae.add_supported_context(sop_class_uid, list(CT_TRANSFER_SYNTAXES))
    return ae


@dataclass(frozen=True)
class StoreAnswer:
    """Status and Error Comment of a C-STORE response (PS3.7 Section 9.3.1.2)."""

    status: int
    error_comment: str = ""

    def to_dataset(self) -> Dataset:
        """Return the answer as the library wants it."""
        answer = Dataset()
        answer.Status = self.status
        if self.error_comment:
            answer.ErrorComment = self.error_comment
        return answer


STORED = StoreAnswer(STATUS_SUCCESS)


class StorageScp:
    """The handlers of one listener."""

    def __init__(
        self,
        spool: Spool,
        limits: ListenerLimits,
        observer: NodeObserver,
        on_stored: StoredCallback,
    ) -> None:
        self._spool = spool
        self._limits = limits
        self._observer = observer
        self._on_stored = on_stored

    def handlers(self) -> list[EventHandlerType]:
        """Return (event, handler) pairs to bind."""
        return [
            (evt.EVT_C_ECHO, self.on_c_echo),
            (evt.EVT_C_STORE, self.on_c_store),
            (evt.EVT_PDU_RECV, self.on_pdu),
        ]

    def on_c_echo(self, _event: Event) -> int:
        """Answer a C-ECHO request."""
        return STATUS_SUCCESS

    def on_c_store(self, event: Event) -> Dataset:
        """Store the data set of a C-STORE request that the library received whole."""
        request = cast(C_STORE, event.request)
        command = StoreCommand(
            int(request.MessageID or 0),
            str(request.AffectedSOPClassUID),
            str(request.AffectedSOPInstanceUID),
        )
        incoming = self.receive(event.assoc, str(event.context.transfer_syntax), command)
        if request.DataSet is not None:
            incoming.write(request.DataSet.getbuffer())
        return self.keep(incoming, event.assoc).to_dataset()

    def receive(
        self, association: Association, transfer_syntax_uid: str, command: StoreCommand
    ) -> IncomingFile:
        """Begin to receive an instance."""
        calling = str(association.requestor.ae_title).strip()
        request = StoreRequest(
            transfer_syntax_uid, command.sop_class_uid, command.sop_instance_uid, calling
        )
        return self._spool.receive(request)

    def keep(self, incoming: IncomingFile, association: Association) -> StoreAnswer:
        """Make a received instance durable and return the status to answer."""
        try:
            instance, addition = self._spool.keep(incoming)
        except NotAcceptable as error:
            return self._refusal(error.status, error.comment)
        except OutOfResources as error:
            return self._refusal(STATUS_OUT_OF_RESOURCES, str(error))
        self._on_stored(instance, addition, association)
        self._observer.instance_stored(instance, addition)
        return STORED

    def on_pdu(self, event: Event) -> None:
        """Abort an association whose data set outgrows the limit, before memory does."""
        message = event.assoc.dimse.message
        data_set = None if message is None else message.data_set
        if data_set is None:
            return
        if data_set.tell() + event.pdu.pdu_length <= self._limits.max_instance_bytes:
            return
        LOG.error("data set beyond %d bytes; association aborted", self._limits.max_instance_bytes)
        # Evt19 (invalid PDU) is what the state machine answers with A-ABORT (PS3.8 Table 9-10).
        event.assoc.dul.event_queue.put("Evt19")

    def _refusal(self, status: int, comment: str) -> StoreAnswer:
        LOG.warning("C-STORE refused with 0x%04X: %s", status, comment)
        self._observer.instance_refused(status, comment)
        return StoreAnswer(status, comment[:ERROR_COMMENT_CHARACTERS])
