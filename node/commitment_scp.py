"""Storage commitment on associations others open: being asked, and being reported to.

A sender may ask us to commit what it stored here. The report goes over an association of its
own if `Peer.port` says where, else over the association of the request.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import replace

from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.events import Event, EventHandlerType

from node.commitment import (
    PUSH_MODEL_INSTANCE,
    REASON_CLASS_CONFLICT,
    REASON_NO_SUCH_INSTANCE,
    REQUEST_COMMITMENT,
    STORAGE_COMMITMENT_PUSH_MODEL,
    CommitmentReport,
    CommitmentRequest,
    parse_request,
)
from node.commitment_scu import CONTEXTS, ReportConsumer, answer_report, send_report
from node.errors import STATUS_SUCCESS, NodeError, NotAcceptable
from node.index import SpoolIndex
from node.settings import Destination, ListenerSettings, Peer

LOG = logging.getLogger(__name__)
INVALID_ARGUMENT = 0x0115
BEFORE_REPORT_SECONDS = 0.1
NO_SUCH_ACTION = 0x0123


def decide(request: CommitmentRequest, index: SpoolIndex) -> CommitmentReport:
    """Return what of a request is safe in the spool."""
    committed: list[tuple[str, str]] = []
    failed: list[tuple[str, str, int]] = []
    for sop_class_uid, sop_instance_uid in request.instances:
        stored = index.sop_classes_of(sop_instance_uid)
        if sop_class_uid in stored:
            committed.append((sop_class_uid, sop_instance_uid))
        else:
            reason = REASON_CLASS_CONFLICT if stored else REASON_NO_SUCH_INSTANCE
            failed.append((sop_class_uid, sop_instance_uid, reason))
    return CommitmentReport(request.transaction_uid, tuple(committed), tuple(failed))


class CommitmentScp:
    """The commitment handlers of one listener."""

    def __init__(
        self, listener: ListenerSettings, index: SpoolIndex, on_report: ReportConsumer | None
    ) -> None:
        self._listener = listener
        self._index = index
        self._on_report = on_report or _unknown

    def add_to(self, ae: AE) -> None:
        """Accept the commitment class, with the peer in either role."""
        for sop_class_uid, syntaxes in CONTEXTS:
            ae.add_supported_context(sop_class_uid, syntaxes, scu_role=True, scp_role=True)

    def handlers(self) -> list[EventHandlerType]:
        """Return (event, handler) pairs to bind."""
        return [(evt.EVT_N_ACTION, self.on_n_action), (evt.EVT_N_EVENT_REPORT, self.on_report)]

    def on_report(self, event: Event) -> tuple[int, None]:
        """Somebody reports on what we sent."""
        return answer_report(event, self._on_report), None

    def on_n_action(self, event: Event) -> tuple[int, None]:
        """Somebody asks us to commit what we received."""
        if event.action_type != REQUEST_COMMITMENT:
            return NO_SUCH_ACTION, None
        try:
            request = parse_request(event.action_information)
        except NotAcceptable as error:
            LOG.warning("storage commitment request refused: %s", error.comment)
            return INVALID_ARGUMENT, None
        report = decide(request, self._index)
        threading.Thread(
            target=self._report, args=(report, event.assoc), name="node-commitment", daemon=True
        ).start()
        return STATUS_SUCCESS, None

    def _report(self, report: CommitmentReport, association: Association) -> None:
        peer = self._peer(association)
        try:
            if peer is not None:
                send_report(report, peer)
            else:
                _report_on(association, report)
        except (NodeError, RuntimeError, ValueError) as error:
            # The asker repeats its request when no report comes (PS3.4 J.3.2.1).
            LOG.error("storage commitment report failed: %s", error)

    def follow(self, peers: tuple[Peer, ...]) -> None:
        """Report to these peers from now on."""
        self._listener = replace(self._listener, peers=peers)

    def _peer(self, association: Association) -> Destination | None:
        calling = str(association.requestor.ae_title).strip()
        for peer in self._listener.peers:
            if peer.ae_title.strip() == calling and peer.host and peer.port:
                ours = self._listener.ae_title
                return Destination(calling, calling, peer.host, peer.port, calling_ae_title=ours)
        return None


def _report_on(association: Association, report: CommitmentReport) -> None:
    # pynetdicom as the asker loses a report that comes together with the answer to its request.
    time.sleep(BEFORE_REPORT_SECONDS)
    association.send_n_event_report(
        report.to_dataset(), report.event_type, STORAGE_COMMITMENT_PUSH_MODEL, PUSH_MODEL_INSTANCE
    )


def _unknown(_report: CommitmentReport) -> bool:
    return False
