"""Handing series on: at least once, whatever the consumer does."""

from __future__ import annotations

import logging

import pytest

from node import OutOfResources, SilentObserver, Spool, SpoolSettings, send_files


def test_a_failing_consumer_is_asked_again(start_node, tmp_path, write_series, wait_until):
    calls = []

    def consumer(series):
        calls.append(series.instance_set_digest)
        if len(calls) == 1:
            raise ValueError("queue is away")

    node = start_node(consumer=consumer)
    send_files(write_series(tmp_path / "in", 2), node.destination)
    wait_until(lambda: len(calls) == 2)
    assert calls[0] == calls[1]
    wait_until(lambda: node.spool.index.unhanded_series() == ())
    assert node.server.status().failing_hand_overs == 0


def test_a_series_whose_consumer_failed_is_offered_by_the_next_start(
    start_node, tmp_path, write_series, wait_until
):
    failing = []

    def consumer(series):
        failing.append(series)
        raise KeyError("not now")

    first = start_node(consumer=consumer)
    send_files(write_series(tmp_path / "in", 2), first.destination)
    wait_until(lambda: failing)
    first.server.stop()
    first.spool.close()
    second = start_node(spool=Spool(SpoolSettings(tmp_path / "spool", min_free_gib=0.0)))
    again = second.completed.get(timeout=10)
    assert again.instance_set_digest == failing[0].instance_set_digest


class Counter(SilentObserver):
    def __init__(self):
        self.events = []

    def association_opened(self, calling_ae_title, host):
        self.events.append(("opened", calling_ae_title, host))

    def association_closed(self, calling_ae_title, host):
        self.events.append(("closed", calling_ae_title, host))

    def instance_stored(self, instance, addition):
        self.events.append(("stored", instance.Modality, addition.value))

    def instance_refused(self, status, comment):
        self.events.append(("refused", status, comment))

    def series_complete(self, series):
        self.events.append(("complete", len(series.files), series.reason))


def test_the_observer_sees_the_whole_story(start_node, tmp_path, write_series, wait_until):
    counter = Counter()
    node = start_node(observer=counter)
    send_files(write_series(tmp_path / "in", 1), node.destination)
    wait_until(lambda: len(counter.events) == 4)
    assert counter.events == [
        ("opened", "SPINENODE", "127.0.0.1"),
        ("stored", "CT", "new"),
        ("closed", "SPINENODE", "127.0.0.1"),
        ("complete", 1, "associations_closed"),
    ]


def test_a_full_spool_answers_a700_and_recovers(start_node, tmp_path, write_series, monkeypatch):
    counter = Counter()
    node = start_node(observer=counter)
    paths = write_series(tmp_path / "in", 1)
    with monkeypatch.context() as patch:
        patch.setattr(node.spool, "has_room", lambda: False)
        (refused,) = send_files(paths, node.destination)
    assert (refused.status, refused.outcome) == (OutOfResources.status, "failed")
    assert ("refused", 0xA700, "spool is below its free space watermark") in counter.events
    (sent,) = send_files(paths, node.destination)
    assert sent.outcome == "sent"


def test_logs_hold_no_patient_identifier(start_node, tmp_path, write_series, wait_until, caplog):
    with caplog.at_level(logging.DEBUG):
        node = start_node()
        send_files(write_series(tmp_path / "in", 2), node.destination)
        node.completed.get(timeout=10)
        wait_until(lambda: "complete" in caplog.text)
    assert "SYNTHETIC" not in caplog.text
    assert "Nobody" not in caplog.text


@pytest.mark.parametrize("times", [1, 2])
def test_stopping_twice_is_harmless(start_node, times):
    node = start_node()
    for _ in range(times):
        node.server.stop()
