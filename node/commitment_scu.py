"""Storage commitment over associations we open: asking, and reporting."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from contextlib import suppress

from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, generate_uid
from pynetdicom import build_role, evt
from pynetdicom.events import Event

from node.commitment import (
    PUSH_MODEL_INSTANCE,
    REQUEST_COMMITMENT,
    STORAGE_COMMITMENT_PUSH_MODEL,
    CommitmentReport,
    CommitmentRequest,
    parse_report,
)
from node.commitment_ledger import CommitmentLedger
from node.errors import STATUS_SUCCESS, NotAcceptable, Permanent, Retryable
from node.scu import Negotiation, associated
from node.settings import Destination

LOG = logging.getLogger(__name__)
CONTEXTS = [(STORAGE_COMMITMENT_PUSH_MODEL, [ImplicitVRLittleEndian, ExplicitVRLittleEndian])]
UNKNOWN_TRANSACTION = 0x0115
SAME_ASSOCIATION_SECONDS = 2.0
MOST_INSTANCES = 500

ReportConsumer = Callable[[CommitmentReport], bool]


def answer_report(event: Event, consumer: ReportConsumer) -> int:
    """Pass an N-EVENT-REPORT on and return the status to answer."""
    try:
        report = parse_report(event.event_information)
    except NotAcceptable as error:
        LOG.warning("storage commitment report refused: %s", error.comment)
        return UNKNOWN_TRANSACTION
    return STATUS_SUCCESS if consumer(report) else UNKNOWN_TRANSACTION


def request_commitment(ledger: CommitmentLedger, destination: Destination) -> int:
    """Ask a destination to commit what it was sent; return for how many instances.

    The report is taken on the same association if it comes at once, else the listener gets it.

    Raises
    ------
    Retryable
        Not reachable, or the request was not taken.
    Permanent
        The destination does not offer storage commitment.
    """
    instances = ledger.awaiting(destination.name)[:MOST_INSTANCES]
    if not instances:
        return 0
    request = CommitmentRequest(generate_uid(), instances)
    ledger.begin(destination.name, request)
    try:
        _ask(ledger, destination, request)
    except (Retryable, Permanent):
        ledger.abandon(request.transaction_uid)
        raise
    return len(instances)


def _ask(ledger: CommitmentLedger, destination: Destination, request: CommitmentRequest) -> None:
    reports: queue.SimpleQueue[threading.Thread] = queue.SimpleQueue()

    def on_report(event: Event) -> tuple[int, None]:
        status = answer_report(event, ledger.settle)
        reports.put(threading.current_thread())
        return status, None

    negotiation = Negotiation(CONTEXTS, handlers=[(evt.EVT_N_EVENT_REPORT, on_report)])
    with associated(destination, negotiation) as association:
        if not association.is_established:
            raise Permanent(f"{destination.name} does not offer storage commitment")
        answer, _ = association.send_n_action(
            request.to_dataset(),
            REQUEST_COMMITMENT,
            STORAGE_COMMITMENT_PUSH_MODEL,
            PUSH_MODEL_INSTANCE,
        )
        if answer.get("Status") != STATUS_SUCCESS:
            raise Retryable(f"{destination.name} answered N-ACTION with {answer.get('Status')}")
        with suppress(queue.Empty):
            # The answer to the report has to go before the release.
            reports.get(timeout=SAME_ASSOCIATION_SECONDS).join(SAME_ASSOCIATION_SECONDS)


def send_report(report: CommitmentReport, peer: Destination) -> None:
    """Report to whoever asked us, over an association of our own with the SCP role.

    Raises
    ------
    Retryable, Permanent
        As `node.scu.send_files`, and Retryable for any answer but success.
    """
    role = build_role(STORAGE_COMMITMENT_PUSH_MODEL, scu_role=False, scp_role=True)
    with associated(peer, Negotiation(CONTEXTS, roles=[role])) as association:
        if not association.is_established:
            raise Permanent(f"{peer.name} does not take storage commitment reports")
        answer, _ = association.send_n_event_report(
            report.to_dataset(),
            report.event_type,
            STORAGE_COMMITMENT_PUSH_MODEL,
            PUSH_MODEL_INSTANCE,
        )
        if answer.get("Status") != STATUS_SUCCESS:
            raise Retryable(f"{peer.name} answered N-EVENT-REPORT with {answer.get('Status')}")
