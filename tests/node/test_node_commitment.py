"""Storage commitment in both roles, reported on the same and on a separate association."""

from __future__ import annotations

import queue
import threading

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, build_role, evt

from node import (
    CommitmentLedger,
    CommitmentReport,
    DeliveryLedger,
    DeliveryRequest,
    Destination,
    LoopbackArchive,
    Outcome,
    Peer,
    Permanent,
    Retryable,
    request_commitment,
    send_files,
    waiting_room,
)
from node.commitment import CommitmentRequest, parse_report
from node.commitment_scu import CONTEXTS
from node.part10 import identify
from node.scu import DeliveryResult, Negotiation, associated

MODEL, INSTANCE = "1.2.840.10008.1.20.1", "1.2.840.10008.1.20.1.1"
SYNTAX = "1.2.840.10008.1.2"
CT = "1.2.840.10008.5.1.4.1.1.2"


class CommittingArchive:
    """Answers N-ACTION, then reports: here (`report_port` None) or by calling back."""

    def __init__(self, report_port=None, lacks=(), status=0):
        self.report_port, self.lacks, self.status = report_port, set(lacks), status
        self.reported = queue.Queue()
        self.ae = AE(ae_title="ARCHIVE")
        self.ae.add_supported_context(MODEL, SYNTAX)
        handlers = [(evt.EVT_N_ACTION, self.on_action)]
        self.server = self.ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
        self.destination = Destination(
            "archive", "ARCHIVE", "127.0.0.1", self.server.server_address[1]
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.ae.shutdown()

    def on_action(self, event):
        if self.status == 0:
            arguments = (self._report_for(event.action_information), event.assoc)
            threading.Thread(target=self._report, args=arguments).start()
        return self.status, None

    def _report_for(self, request):
        report = Dataset()
        report.TransactionUID = request.TransactionUID
        items = request.ReferencedSOPSequence
        report.ReferencedSOPSequence = [
            each for each in items if each.ReferencedSOPInstanceUID not in self.lacks
        ]
        failed = [each for each in items if each.ReferencedSOPInstanceUID in self.lacks]
        for each in failed:
            each.FailureReason = 0x0112
        if failed:
            report.FailedSOPSequence = failed
        return report

    def _report(self, report, association):
        if self.report_port is None:
            answer, _ = association.send_n_event_report(report, 1, MODEL, INSTANCE)
            self.reported.put(answer.Status)
            return
        self.ae.add_requested_context(MODEL, SYNTAX)
        back = self.ae.associate(
            "127.0.0.1",
            self.report_port,
            ae_title="SPINENODE",
            ext_neg=[build_role(MODEL, scp_role=True)],
        )
        answer, _ = back.send_n_event_report(report, 1, MODEL, INSTANCE)
        self.reported.put(answer.Status)
        back.release()


@pytest.fixture
def ledgers(location, tmp_path):
    deliveries = DeliveryLedger(location)
    commitments = CommitmentLedger(location)
    deliveries.queue([DeliveryRequest("archive", f"1.2.{n}", CT, tmp_path) for n in range(3)])
    for number in range(3):
        sent = DeliveryResult(tmp_path, f"1.2.{number}", CT, 0, Outcome.SENT)
        deliveries.record("archive", sent)
    yield deliveries, commitments
    deliveries.close()
    commitments.close()


def states(deliveries):
    return [deliveries.find("archive", f"1.2.{number}").state.value for number in range(3)]


def test_a_report_on_the_same_association_settles_the_ledger(ledgers):
    deliveries, commitments = ledgers
    with CommittingArchive(lacks=["1.2.1"]) as archive:
        assert request_commitment(commitments, archive.destination) == 3
        assert archive.reported.get(timeout=10) == 0
    assert states(deliveries) == ["committed", "queued", "committed"]
    assert [each.last_status for each in deliveries.due("archive")] == [0x0112]


def test_an_association_ends_though_a_report_was_answered_while_its_thread_stood_still():
    serving, go_on = queue.Queue(), threading.Event()

    def on_report(_):
        serving.put(threading.current_thread())
        assert go_on.wait(10)
        return 0, None

    negotiation = Negotiation(CONTEXTS, handlers=[(evt.EVT_N_EVENT_REPORT, on_report)])
    request = CommitmentRequest("1.2.3", ((CT, "1.2.1"),))
    with CommittingArchive() as archive, associated(archive.destination, negotiation) as asker:
        asker.send_n_action(request.to_dataset(), 1, MODEL, INSTANCE)
        thread = serving.get(timeout=10)
        asker._reactor_checkpoint.clear()
        go_on.set()
        thread.join(10)
        ending = threading.Thread(target=asker.release, daemon=True)
        ending.start()
        ending.join(10)
        hangs = ending.is_alive()
        asker._is_paused = True  # what a hanging release waits for
    assert not hangs


def test_a_report_on_a_separate_association_settles_the_ledger(ledgers, start_node):
    deliveries, commitments = ledgers
    node = start_node(on_commitment=commitments.settle)
    with CommittingArchive(report_port=node.server.port) as archive:
        request_commitment(commitments, archive.destination)
        assert archive.reported.get(timeout=10) == 0
    assert states(deliveries) == ["committed"] * 3
    assert request_commitment(commitments, archive.destination) == 0


def test_what_is_being_committed_is_not_asked_for_twice(ledgers, location):
    _, commitments = ledgers
    commitments.begin("archive", _request(commitments))
    nobody = Destination("archive", "ARCHIVE", "127.0.0.1", 1)
    assert request_commitment(commitments, nobody) == 0
    impatient = CommitmentLedger(location, patience_seconds=-1)
    assert len(impatient.awaiting("archive")) == 3
    impatient.close()


def _request(commitments):
    from node.commitment import CommitmentRequest

    return CommitmentRequest("9.8.7", commitments.awaiting("archive"))


def test_reports_of_strangers_change_nothing(ledgers):
    deliveries, commitments = ledgers
    commitments.begin("archive", _request(commitments))
    assert not commitments.settle(CommitmentReport("6.6.6", ((CT, "1.2.0"),), ()))
    assert states(deliveries) == ["sent"] * 3
    assert commitments.settle(CommitmentReport("9.8.7", ((CT, "1.2.0"), (CT, "5.5")), ()))
    assert states(deliveries) == ["committed", "sent", "sent"]


def test_a_refused_request_is_asked_again_later(ledgers):
    _, commitments = ledgers
    with CommittingArchive(status=0x0213) as archive, pytest.raises(Retryable, match="N-ACTION"):
        request_commitment(commitments, archive.destination)
    assert len(commitments.awaiting("archive")) == 3


def test_an_archive_without_commitment_is_named(ledgers, tmp_path):
    _, commitments = ledgers
    with LoopbackArchive(tmp_path / "a") as archive:
        destination = Destination("archive", "ARCHIVE", "127.0.0.1", archive.port)
        with pytest.raises(Permanent, match="does not offer storage commitment"):
            request_commitment(commitments, destination)


@pytest.mark.parametrize("separate", [False, True])
def test_we_commit_what_is_in_the_spool_and_nothing_else(
    start_node, tmp_path, write_series, separate
):
    """A router asks about one stored, one unknown, and one stored under another class."""
    reports = queue.Queue()

    def on_report(event):
        reports.put((parse_report(event.event_information), threading.current_thread()))
        return 0, None

    router = AE(ae_title="ROUTER")
    router.add_supported_context(MODEL, SYNTAX, scu_role=True, scp_role=True)
    router.add_requested_context(MODEL, SYNTAX)
    handlers = [(evt.EVT_N_EVENT_REPORT, on_report)]
    listener = router.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    port = listener.server_address[1] if separate else None
    node = start_node(peers=(Peer("ROUTER", "127.0.0.1", port),))
    paths = write_series(tmp_path / "in", 2)
    uids = [identify(path).header.SOPInstanceUID for path in paths]
    destination = Destination("n", "SPINENODE", "127.0.0.1", node.server.port)
    send_files(paths, Destination(**{**vars(destination), "calling_ae_title": "ROUTER"}))
    association = router.associate(
        "127.0.0.1", node.server.port, ae_title="SPINENODE", evt_handlers=handlers
    )
    waiting_room.install(association)
    request = Dataset()
    request.TransactionUID = "7.7.7"
    request.ReferencedSOPSequence = [
        _item(CT, uids[0]),
        _item(CT, "1.1.1"),
        _item("1.2.840.10008.5.1.4.1.1.4", uids[1]),
    ]
    answer, _ = association.send_n_action(request, 1, MODEL, INSTANCE)
    assert answer.Status == 0
    report, answering = reports.get(timeout=10)
    assert report.transaction_uid == "7.7.7"
    assert [uid for _, uid in report.committed] == [uids[0]]
    assert [(uid, why) for _, uid, why in report.failed] == [("1.1.1", 0x112), (uids[1], 0x119)]
    answering.join(10)
    association.release()
    router.shutdown()


def _item(sop_class, sop_instance):
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, sop_instance
    return item
