"""Moves DICOM: receives series durably, hands them on, and sends results.

Knows nothing of what happens to a series in between. The service composes these parts.
"""

from node.archive import LoopbackArchive
from node.backoff import BackoffPolicy, delay_seconds
from node.commitment import CommitmentReport
from node.commitment_ledger import CommitmentLedger
from node.commitment_scu import request_commitment
from node.delivery import deliver_due, send
from node.errors import NodeError, NotAcceptable, OutOfResources, Permanent, Retryable
from node.incoming import StoreRequest
from node.late_entries import Addition
from node.ledger import Delivery, DeliveryLedger, DeliveryRequest, DeliveryState
from node.observer import NodeObserver, SilentObserver
from node.received import ReceivedInstance, ReceivedSeries, StoredInstance, instance_set_digest
from node.scu import DeliveryObserver, DeliveryResult, Outcome, classify, echo, send_files
from node.series import CompletionReason, SeriesTracker
from node.server import NodeServer, NodeStatus
from node.settings import (
    Destination,
    ListenerLimits,
    ListenerSettings,
    Peer,
    ReceivePath,
    SeriesSettings,
    SpoolSettings,
    TlsSettings,
    WebDestination,
)
from node.sop_classes import CT_TRANSFER_SYNTAXES, RECEIVED_SOP_CLASSES, SENT_SOP_CLASSES
from node.spool import Spool
from node.stow import post_files

__all__ = [
    "CT_TRANSFER_SYNTAXES",
    "RECEIVED_SOP_CLASSES",
    "SENT_SOP_CLASSES",
    "Addition",
    "BackoffPolicy",
    "CommitmentLedger",
    "CommitmentReport",
    "CompletionReason",
    "Delivery",
    "DeliveryLedger",
    "DeliveryObserver",
    "DeliveryRequest",
    "DeliveryResult",
    "DeliveryState",
    "Destination",
    "ListenerLimits",
    "ListenerSettings",
    "LoopbackArchive",
    "NodeError",
    "NodeObserver",
    "NodeServer",
    "NodeStatus",
    "NotAcceptable",
    "OutOfResources",
    "Outcome",
    "Peer",
    "Permanent",
    "ReceivePath",
    "ReceivedInstance",
    "ReceivedSeries",
    "Retryable",
    "SeriesSettings",
    "SeriesTracker",
    "SilentObserver",
    "Spool",
    "SpoolSettings",
    "StoreRequest",
    "StoredInstance",
    "TlsSettings",
    "WebDestination",
    "classify",
    "delay_seconds",
    "deliver_due",
    "echo",
    "instance_set_digest",
    "post_files",
    "request_commitment",
    "send",
    "send_files",
]
