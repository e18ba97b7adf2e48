"""The completion state machine, with a clock made of numbers."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from node import CompletionReason, SeriesSettings, SeriesTracker
from node.series import OPEN_ASSOCIATION_PATIENCE

SETTINGS = SeriesSettings(quiet_seconds=10, max_wait_seconds=100)


@pytest.fixture
def tracker():
    return SeriesTracker(SETTINGS)


def test_closed_and_quiet_is_complete(tracker):
    tracker.instance_stored("s", 1, 0)
    tracker.association_closed(1)
    assert tracker.take_due(9.9) == ()
    assert tracker.take_due(10) == (("s", CompletionReason.ASSOCIATIONS_CLOSED),)
    assert tracker.take_due(1000) == ()


def test_an_open_association_is_given_more_patience(tracker):
    tracker.instance_stored("s", 1, 0)
    assert tracker.take_due(29.9) == ()
    assert tracker.take_due(30) == (("s", CompletionReason.QUIET),)


def test_one_of_three_associations_still_open_counts_as_open(tracker):
    for association in (1, 2, 3):
        tracker.instance_stored("s", association, 0)
    tracker.association_closed(1)
    tracker.association_closed(3)
    assert tracker.take_due(15) == ()


def test_a_trickle_ends_at_the_longest_wait(tracker):
    for moment in range(0, 100, 5):
        tracker.instance_stored("s", 1, moment)
        assert tracker.take_due(moment) == ()
    assert tracker.take_due(100) == (("s", CompletionReason.MAX_WAIT),)


def test_a_late_instance_opens_again_with_a_fresh_longest_wait(tracker):
    tracker.instance_stored("s", 1, 0)
    tracker.association_closed(1)
    assert tracker.take_due(50)
    tracker.instance_stored("s", 2, 99)
    assert tracker.take_due(101) == ()
    tracker.association_closed(2)
    assert tracker.take_due(109) == (("s", CompletionReason.ASSOCIATIONS_CLOSED),)


def test_series_are_independent(tracker):
    tracker.instance_stored("a", 1, 0)
    tracker.association_closed(1)
    tracker.instance_stored("b", 2, 8)
    assert tracker.take_due(12) == (("a", CompletionReason.ASSOCIATIONS_CLOSED),)
    assert tracker.next_due_at() == 38


def test_a_restored_series_completes_without_its_associations(tracker):
    tracker.restored("s", 5)
    assert tracker.take_due(15) == (("s", CompletionReason.ASSOCIATIONS_CLOSED),)


class SeriesMachine(RuleBasedStateMachine):
    """Whatever happens: each stored instance is completed once, not early and not too late."""

    def __init__(self):
        super().__init__()
        self.tracker = SeriesTracker(SETTINGS)
        self.now = 0.0
        self.waiting: dict[str, tuple[float, float]] = {}
        self.open_associations: dict[str, set[int]] = {}

    @rule(key=st.sampled_from("abc"), association=st.integers(1, 3))
    def store(self, key, association):
        first, _ = self.waiting.get(key, (self.now, self.now))
        self.waiting[key] = (first, self.now)
        self.open_associations.setdefault(key, set()).add(association)
        self.tracker.instance_stored(key, association, self.now)

    @rule(association=st.integers(1, 3))
    def close(self, association):
        for each in self.open_associations.values():
            each.discard(association)
        self.tracker.association_closed(association)

    @rule(seconds=st.floats(0, 40))
    def wait(self, seconds):
        self.now += seconds

    @rule()
    def take(self):
        for key, reason in self.tracker.take_due(self.now):
            first, last = self.waiting.pop(key)
            was_open = bool(self.open_associations.pop(key))
            quiet = SETTINGS.quiet_seconds * (OPEN_ASSOCIATION_PATIENCE if was_open else 1)
            waited_out = self.now >= first + SETTINGS.max_wait_seconds
            assert waited_out or self.now >= last + quiet
            assert (reason == CompletionReason.ASSOCIATIONS_CLOSED) <= (not was_open)
        for first, last in self.waiting.values():
            assert self.now < first + SETTINGS.max_wait_seconds
            assert self.now < last + SETTINGS.quiet_seconds * OPEN_ASSOCIATION_PATIENCE

    @invariant()
    def open_is_what_waits(self):
        assert set(self.tracker.open_series) == set(self.waiting)


TestSeriesMachine = SeriesMachine.TestCase
TestSeriesMachine.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
