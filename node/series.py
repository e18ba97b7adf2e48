"""When a series is complete: a pure state machine, fed with events and a clock's readings.

A series is complete when every association that brought it has closed and it has been quiet for
`quiet_seconds`; an association that stays open only delays this, up to
`OPEN_ASSOCIATION_PATIENCE` times as long, because senders keep associations open between series.
`max_wait_seconds` after its first instance it completes in any case. A late instance opens the
series again.

Where somebody can be asked how many instances the series has, the number decides: reached, it is
complete at once; not reached, it waits until `max_wait_seconds` and then counts as partial; no
answer, and the rule above holds.
"""

from __future__ import annotations

import enum
from collections.abc import Hashable
from dataclasses import dataclass, replace

from node.expectation import (
    ANSWER_PATIENCE_SECONDS,
    ASK_AGAIN_SECONDS,
    NOBODY_TO_ASK,
    NOT_ASKED,
    SETTLE_FRACTION,
    Expectation,
    Knowledge,
)
from node.settings import SeriesSettings

OPEN_ASSOCIATION_PATIENCE = 3.0


class CompletionReason(enum.StrEnum):
    """Why a series counts as complete."""

    ASSOCIATIONS_CLOSED = "associations_closed"
    QUIET = "quiet"
    MAX_WAIT = "max_wait"
    EXPECTED_COUNT = "expected_count"
    FEWER_THAN_EXPECTED = "fewer_than_expected"


@dataclass(frozen=True)
class OpenSeries:
    """A series still being received; times in seconds of one monotonic clock."""

    first_at: float
    last_at: float
    associations: frozenset[Hashable]
    expectation: Expectation = NOBODY_TO_ASK

    def due_at(self, settings: SeriesSettings) -> tuple[float, CompletionReason]:
        """Return when this series completes if nothing more happens, and why."""
        knowledge = self.expectation.knowledge
        longest_at = self.first_at + settings.max_wait_seconds
        if knowledge is Knowledge.REACHED:
            return self.last_at, CompletionReason.EXPECTED_COUNT
        if knowledge is Knowledge.FEWER:
            return longest_at, CompletionReason.FEWER_THAN_EXPECTED
        quiet_at, reason = self._quiet_at(settings)
        if knowledge is Knowledge.ASKED:
            quiet_at = max(quiet_at, self.expectation.since + ANSWER_PATIENCE_SECONDS)
        if longest_at < quiet_at:
            return longest_at, CompletionReason.MAX_WAIT
        return quiet_at, reason

    def _quiet_at(self, settings: SeriesSettings) -> tuple[float, CompletionReason]:
        if self.associations:
            patience, reason = OPEN_ASSOCIATION_PATIENCE, CompletionReason.QUIET
        else:
            patience, reason = 1.0, CompletionReason.ASSOCIATIONS_CLOSED
        return self.last_at + patience * settings.quiet_seconds, reason

    def ask_at(self, settings: SeriesSettings) -> float | None:
        """Return when to ask for the number of instances, or None not to ask."""
        if self.expectation.knowledge is Knowledge.FEWER:
            return self.expectation.since + ASK_AGAIN_SECONDS
        if self.expectation.knowledge is not Knowledge.NOT_ASKED:
            return None
        pause = 1.0 if self.associations else SETTLE_FRACTION
        return self.last_at + pause * settings.quiet_seconds


class SeriesTracker:
    """All series being received. Not thread-safe: the caller holds a lock.

    Every method takes `now`, so that tests and a stepping system clock decide nothing here.
    """

    def __init__(self, settings: SeriesSettings) -> None:
        self._settings = settings
        self._open: dict[str, OpenSeries] = {}
        self._at_first = NOBODY_TO_ASK if settings.announced is None else NOT_ASKED

    @property
    def open_series(self) -> dict[str, OpenSeries]:
        """A copy of the series being received, by series key."""
        return dict(self._open)

    def instance_stored(self, key: str, association: Hashable, now: float) -> None:
        """A new or changed instance of the series arrived over an association."""
        known = self._open.get(key)
        if known is None:
            self._open[key] = OpenSeries(now, now, frozenset((association,)), self._at_first)
        else:
            self._open[key] = OpenSeries(
                known.first_at,
                now,
                known.associations | {association},
                known.expectation.after_arrival(),
            )

    def restored(self, key: str, now: float) -> None:
        """A series received before a restart was not handed over yet."""
        self._open.setdefault(key, OpenSeries(now, now, frozenset(), self._at_first))

    def association_closed(self, association: Hashable) -> None:
        """An association ended, in whatever way."""
        for key, series in self._open.items():
            if association in series.associations:
                self._open[key] = replace(series, associations=series.associations - {association})

    def take_questions(self, now: float) -> tuple[tuple[str, float], ...]:
        """Return the series whose number of instances is to be asked now, with their last times.

        The time comes back with the answer: it tells whether something arrived meanwhile.
        """
        asked = tuple(
            (key, series.last_at)
            for key, series in self._open.items()
            if (at := series.ask_at(self._settings)) is not None and at <= now
        )
        for key, _ in asked:
            series = self._open[key]
            self._open[key] = replace(series, expectation=series.expectation.asked(now))
        return asked

    def count_answered(
        self, question: tuple[str, float], announced: int | None, received: int, now: float
    ) -> None:
        """Take an answer, unless the series has changed or completed since it was asked about."""
        key, last_at = question
        series = self._open.get(key)
        if series is None or series.last_at != last_at:
            return
        expectation = series.expectation.after_answer(announced, received, now)
        self._open[key] = replace(series, expectation=expectation)

    def take_due(self, now: float) -> tuple[tuple[str, CompletionReason], ...]:
        """Return and close the series that are complete at `now`, those due longest first."""
        due = sorted(
            (at, key, reason)
            for key, series in self._open.items()
            for at, reason in (series.due_at(self._settings),)
            if at <= now
        )
        for _, key, _ in due:
            del self._open[key]
        return tuple((key, reason) for _, key, reason in due)

    def next_due_at(self) -> float | None:
        """Return when the next series completes if nothing happens, or None without any."""
        return min(
            (series.due_at(self._settings)[0] for series in self._open.values()), default=None
        )
