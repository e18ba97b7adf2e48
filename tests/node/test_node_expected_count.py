"""The number of images an archive announces decides when a series is complete."""

from __future__ import annotations

import logging
import sqlite3

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from node import (
    BackoffPolicy,
    CompletionReason,
    Retryable,
    SeriesSettings,
    SeriesTracker,
    send_files,
)
from node.expectation import ANSWER_PATIENCE_SECONDS, ASK_AGAIN_SECONDS

SETTINGS = SeriesSettings(quiet_seconds=10, max_wait_seconds=100, announced=lambda *_: None)
CLOSED = CompletionReason.ASSOCIATIONS_CLOSED
REACHED = CompletionReason.EXPECTED_COUNT
FEWER = CompletionReason.FEWER_THAN_EXPECTED


@pytest.fixture
def tracker():
    tracker = SeriesTracker(SETTINGS)
    tracker.instance_stored("s", 1, 0)
    tracker.association_closed(1)
    return tracker


def answer(tracker, now, announced, received):
    (question,) = tracker.take_questions(now)
    tracker.count_answered(question, announced, received, now)


def test_the_count_is_asked_after_a_short_pause_and_once(tracker):
    assert tracker.take_questions(1.9) == ()
    assert tracker.take_questions(2) == (("s", 0),)
    assert tracker.take_questions(3) == ()


def test_an_open_association_is_asked_about_after_the_quiet_time():
    tracker = SeriesTracker(SETTINGS)
    tracker.instance_stored("s", 1, 0)
    assert tracker.take_questions(9.9) == ()
    assert tracker.take_questions(10) == (("s", 0),)


def test_the_count_reached_completes_at_once(tracker):
    answer(tracker, 2, announced=6, received=6)
    assert tracker.take_due(2) == (("s", REACHED),)


def test_the_count_not_reached_waits_to_the_end_and_is_partial(tracker):
    answer(tracker, 2, announced=6, received=5)
    assert tracker.take_due(99) == ()
    assert tracker.take_due(100) == (("s", FEWER),)


@pytest.mark.parametrize(("announced", "received"), [(None, 5), (4, 5), (0, 5)])
def test_no_count_or_one_that_lags_behind_leaves_the_quiet_time(tracker, announced, received):
    answer(tracker, 2, announced, received)
    assert tracker.take_due(9.9) == ()
    assert tracker.take_due(10) == (("s", CLOSED),)


def test_an_answer_on_its_way_is_waited_for_but_not_for_ever(tracker):
    tracker.take_questions(2)
    assert tracker.take_due(2 + ANSWER_PATIENCE_SECONDS - 0.1) == ()
    assert tracker.take_due(2 + ANSWER_PATIENCE_SECONDS) == (("s", CLOSED),)


def test_an_answer_about_what_was_here_before_is_dropped(tracker):
    (question,) = tracker.take_questions(2)
    tracker.instance_stored("s", 2, 3)
    tracker.count_answered(question, 1, 1, 4)
    assert tracker.take_due(4) == ()
    tracker.association_closed(2)
    answer(tracker, 5, announced=2, received=2)
    assert tracker.take_due(5) == (("s", REACHED),)


def test_while_images_are_missing_the_count_is_asked_again(tracker):
    answer(tracker, 2, announced=6, received=5)
    assert tracker.take_questions(2 + ASK_AGAIN_SECONDS - 0.1) == ()
    answer(tracker, 2 + ASK_AGAIN_SECONDS, announced=5, received=5)
    assert tracker.take_due(2 + ASK_AGAIN_SECONDS) == (("s", REACHED),)


def test_an_archive_that_falls_silent_does_not_make_a_partial_series_whole(tracker):
    answer(tracker, 2, announced=6, received=4)
    tracker.instance_stored("s", 2, 3)
    tracker.association_closed(2)
    answer(tracker, 5, announced=None, received=5)
    assert tracker.take_due(99) == ()
    assert tracker.take_due(100) == (("s", FEWER),)


class CountMachine(RuleBasedStateMachine):
    """Whatever the archive says and when: no series waits longer than the longest wait."""

    def __init__(self):
        super().__init__()
        self.tracker = SeriesTracker(SETTINGS)
        self.now = 0.0
        self.first: dict[str, float] = {}
        self.received: dict[str, int] = {}
        self.last_answer: dict[str, int | None] = {}

    @rule(key=st.sampled_from("ab"), closes=st.booleans())
    def store(self, key, closes):
        self.first.setdefault(key, self.now)
        self.received[key] = self.received.get(key, 0) + 1
        self.tracker.instance_stored(key, key, self.now)
        if closes:
            self.tracker.association_closed(key)

    @rule(announced=st.one_of(st.none(), st.integers(0, 6)))
    def ask(self, announced):
        for question in self.tracker.take_questions(self.now):
            key = question[0]
            if announced is not None:
                self.last_answer[key] = announced
            self.tracker.count_answered(question, announced, self.received[key], self.now)

    @rule(seconds=st.floats(0, 40))
    def wait(self, seconds):
        self.now += seconds

    @rule()
    def take(self):
        for key, reason in self.tracker.take_due(self.now):
            announced, received = self.last_answer.pop(key, None), self.received[key]
            assert (reason is REACHED) <= (announced == received)
            assert (reason is FEWER) <= (announced is not None and announced > received)
            del self.first[key]
        assert all(self.now < first + 100 for first in self.first.values())


TestCountMachine = CountMachine.TestCase
TestCountMachine.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


@pytest.fixture
def send(write_series, tmp_path):
    files = write_series(tmp_path / "series", 4)

    def send(node, count=4):
        results = send_files(files[:count], node.destination)
        assert all(result.outcome == "sent" for result in results)

    return send


def test_a_node_that_can_ask_completes_long_before_the_quiet_time(start_node, send):
    node = start_node(SeriesSettings(5.0, 60, announced=lambda *_: 4))
    send(node)
    series = node.completed.get(timeout=4)
    assert (series.reason, series.announced_instances) == (REACHED, 4)


def test_a_node_waits_for_what_is_missing_and_then_says_partial(
    start_node, send, caplog, wait_until
):
    node = start_node(SeriesSettings(0.3, 2.0, announced=lambda *_: 4))
    with caplog.at_level(logging.INFO):
        send(node, 3)
        series = node.completed.get(timeout=10)
    assert (series.reason, series.announced_instances) == (FEWER, 4)
    wait_until(lambda: "is partial: 3 of 4 instances" in caplog.text)


def test_the_missing_image_completes_a_waiting_series(start_node, send):
    node = start_node(SeriesSettings(0.3, 60, announced=lambda *_: 4))
    send(node, 3)
    assert node.completed.empty()
    send(node)
    series = node.completed.get(timeout=10)
    assert (series.reason, len(series.files)) == (REACHED, 4)


def test_an_archive_that_cannot_be_reached_leaves_the_quiet_time_and_a_line(
    start_node, send, caplog
):
    def unreachable(*_):
        raise Retryable("pacs cannot be reached")

    node = start_node(SeriesSettings(0.5, 60, announced=unreachable))
    with caplog.at_level(logging.WARNING):
        send(node)
        series = node.completed.get(timeout=10)
    assert (series.reason, series.announced_instances) == (CLOSED, None)
    assert "cannot be asked (pacs cannot be reached); series complete by quiet time" in caplog.text


def test_a_node_asks_about_the_series_it_received(start_node, send):
    asked = []

    def count(*uids):
        asked.append(uids)
        return 4

    node = start_node(SeriesSettings(0.5, 60, announced=count))
    send(node)
    series = node.completed.get(timeout=10)
    assert asked == [(series.StudyInstanceUID, series.SeriesInstanceUID)]


@pytest.mark.parametrize("step", [1, 2, 3], ids=["asking", "answering", "handing over"])
def test_a_full_disk_at_any_step_only_delays(start_node, send, monkeypatch, step):
    """The index cannot be asked before the rows that wait are written."""
    monkeypatch.setattr("node.series.ANSWER_PATIENCE_SECONDS", 0.5)
    monkeypatch.setattr("node.completion.RETRY", BackoffPolicy(0.05, 0.1))
    node = start_node(SeriesSettings(0.3, 60, announced=lambda *_: 4))
    original, asked = node.spool.index.record, []

    def record(key):
        asked.append(key)
        if len(asked) == step:
            raise sqlite3.OperationalError("database or disk is full")
        return original(key)

    monkeypatch.setattr(node.spool.index, "record", record)
    send(node)
    assert len(node.completed.get(timeout=10).files) == 4
    assert len(asked) >= step
