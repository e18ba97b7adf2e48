"""The delivery ledger and what is sent from it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node import (
    BackoffPolicy,
    DeliveryLedger,
    DeliveryRequest,
    DeliveryState,
    Destination,
    LoopbackArchive,
    classify,
    delay_seconds,
    deliver_due,
)
from node.part10 import identify

POLICY = BackoffPolicy(first_seconds=10, longest_seconds=100, most_attempts=3)
SEG = "1.2.840.10008.5.1.4.1.1.66.4"


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def ledger(location, clock):
    ledger = DeliveryLedger(location, POLICY, clock, lambda: 1.0)
    yield ledger
    ledger.close()


def requests_for(paths, destination="archive"):
    headers = [identify(path).header for path in paths]
    return [
        DeliveryRequest(destination, header.SOPInstanceUID, header.SOPClassUID, path)
        for header, path in zip(headers, paths, strict=True)
    ]


def destination_of(archive):
    return Destination("archive", "ARCHIVE", "127.0.0.1", archive.port)


def test_each_instance_is_sent_once_however_often_it_is_queued(ledger, tmp_path, write_series):
    paths = write_series(tmp_path / "in", 3)
    with LoopbackArchive(tmp_path / "archive") as archive:
        for expected in (3, 0, 0):
            assert ledger.queue(requests_for(paths)) == expected
            deliver_due(ledger, destination_of(archive))
        assert sorted(archive.stores.values()) == [1, 1, 1]
    assert ledger.counts() == {("archive", DeliveryState.SENT): 3}


def test_an_archive_that_is_down_gets_everything_when_it_is_back(
    ledger, clock, tmp_path, write_series
):
    ledger.queue(requests_for(write_series(tmp_path / "in", 2)))
    with LoopbackArchive(tmp_path / "archive") as archive:
        destination = destination_of(archive)
    assert deliver_due(ledger, destination) == ()
    assert ledger.due("archive") == ()
    clock.now += 10
    assert [each.attempts for each in ledger.due("archive")] == [1, 1]
    with LoopbackArchive(tmp_path / "archive", destination.port) as archive:
        deliver_due(ledger, destination)
        assert len(archive.stores) == 2


def test_a_busy_archive_leads_to_the_dead_letter_box_and_retry_to_delivery(
    ledger, clock, tmp_path, write_series
):
    ledger.queue(requests_for(write_series(tmp_path / "in", 1)))
    with LoopbackArchive(tmp_path / "archive", status_for=lambda _: 0xA700) as archive:
        for _ in range(3):
            deliver_due(ledger, destination_of(archive))
            clock.now += 1000
        assert ledger.due("archive") == ()
        (dead,) = ledger.dead_letters("archive")
        assert (dead.attempts, dead.last_status) == (3, 0xA700)
        archive.status_for = lambda _: 0
        assert ledger.retry("archive") == 1
        deliver_due(ledger, destination_of(archive))
        assert list(archive.stores.values()) == [1]
    assert ledger.dead_letters("archive") == ()


def test_a_refused_sop_class_is_not_repeated_and_does_not_hold_up_others(
    ledger, tmp_path, write_series
):
    seg = write_series(tmp_path / "seg", 1, sop_class_uid=SEG)
    ledger.queue(requests_for(seg + write_series(tmp_path / "ct", 1)))
    with LoopbackArchive(
        tmp_path / "archive", sop_classes=["1.2.840.10008.5.1.4.1.1.2"]
    ) as archive:
        deliver_due(ledger, destination_of(archive))
    (dead,) = ledger.dead_letters("archive")
    assert dead.SOPClassUID == SEG
    assert ledger.counts()[("archive", DeliveryState.SENT)] == 1


def test_a_vanished_file_is_given_up_by_name(ledger, tmp_path, write_series):
    paths = write_series(tmp_path / "in", 2)
    ledger.queue(requests_for(paths))
    paths[0].unlink()
    with LoopbackArchive(tmp_path / "archive") as archive:
        deliver_due(ledger, destination_of(archive))
    (dead,) = ledger.dead_letters("archive")
    assert (dead.path, dead.comment) == (paths[0], "FileNotFoundError")


def test_commitment_is_entered_only_for_what_was_sent(ledger, tmp_path, write_series):
    paths = write_series(tmp_path / "in", 2)
    requests = requests_for(paths)
    ledger.queue(requests)
    with LoopbackArchive(tmp_path / "archive") as archive:
        deliver_due(ledger, destination_of(archive))
    ledger.queue(requests_for(paths, "other"))
    for name in ("archive", "other"):
        ledger.mark_committed(name, [requests[0].SOPInstanceUID])
    assert ledger.find("archive", requests[0].SOPInstanceUID).state is DeliveryState.COMMITTED
    assert ledger.find("archive", requests[1].SOPInstanceUID).state is DeliveryState.SENT
    assert ledger.find("other", requests[0].SOPInstanceUID).state is DeliveryState.QUEUED


def test_the_ledger_survives_reopening(ledger, location, tmp_path, write_series):
    requests = requests_for(write_series(tmp_path / "in", 2))
    ledger.queue(requests)
    again = DeliveryLedger(location, POLICY)
    assert {each.SOPInstanceUID for each in again.due("archive")} == {
        each.SOPInstanceUID for each in requests
    }
    again.close()


@given(attempts=st.integers(1, 10_000), unit_random=st.floats(0, 1))
def test_delays_stay_between_half_a_step_and_the_longest(attempts, unit_random):
    delay = delay_seconds(POLICY, attempts, unit_random)
    assert POLICY.first_seconds / 2 <= delay <= POLICY.longest_seconds
    assert delay <= delay_seconds(POLICY, attempts + 1, 1.0)


@given(status=st.integers(0, 0xFFFF))
def test_every_status_has_a_meaning_and_only_success_and_warning_count_as_there(status):
    there = classify(status) in ("sent", "warning")
    assert there == (status in (0, 1, 0x0107, 0x0116) or 0xB000 <= status <= 0xBFFF)
