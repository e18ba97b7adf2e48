"""When a series is complete: a pure state machine, fed with events and a clock's readings.

A series is complete when every association that brought it has closed and it has been quiet for
`quiet_seconds`; an association that stays open only delays this, up to
`OPEN_ASSOCIATION_PATIENCE` times as long, because senders keep associations open between series.
`max_wait_seconds` after its first instance it completes in any case. A late instance opens the
series again.
"""

from __future__ import annotations

import enum
from collections.abc import Hashable
from dataclasses import dataclass, replace

from node.settings import SeriesSettings

OPEN_ASSOCIATION_PATIENCE = 3.0


class CompletionReason(enum.StrEnum):
    """Why a series counts as complete."""

    ASSOCIATIONS_CLOSED = "associations_closed"
    QUIET = "quiet"
    MAX_WAIT = "max_wait"


@dataclass(frozen=True)
class OpenSeries:
    """A series still being received; times in seconds of one monotonic clock."""

    first_at: float
    last_at: float
    associations: frozenset[Hashable]

    def due_at(self, settings: SeriesSettings) -> tuple[float, CompletionReason]:
        """Return when this series completes if nothing more happens, and why."""
        if self.associations:
            patience, reason = OPEN_ASSOCIATION_PATIENCE, CompletionReason.QUIET
        else:
            patience, reason = 1.0, CompletionReason.ASSOCIATIONS_CLOSED
        quiet_at = self.last_at + patience * settings.quiet_seconds
        longest_at = self.first_at + settings.max_wait_seconds
        if longest_at < quiet_at:
            return longest_at, CompletionReason.MAX_WAIT
        return quiet_at, reason


class SeriesTracker:
    """All series being received. Not thread-safe: the caller holds a lock.

    Every method takes `now`, so that tests and a stepping system clock decide nothing here.
    """

    def __init__(self, settings: SeriesSettings) -> None:
        self._settings = settings
        self._open: dict[str, OpenSeries] = {}

    @property
    def open_series(self) -> dict[str, OpenSeries]:
        """A copy of the series being received, by series key."""
        return dict(self._open)

    def instance_stored(self, key: str, association: Hashable, now: float) -> None:
        """A new or changed instance of the series arrived over an association."""
        known = self._open.get(key)
        if known is None:
            self._open[key] = OpenSeries(now, now, frozenset((association,)))
        else:
            self._open[key] = replace(
                known, last_at=now, associations=known.associations | {association}
            )

    def restored(self, key: str, now: float) -> None:
        """A series received before a restart was not handed over yet."""
        self._open.setdefault(key, OpenSeries(now, now, frozenset()))

    def association_closed(self, association: Hashable) -> None:
        """An association ended, in whatever way."""
        for key, series in self._open.items():
            if association in series.associations:
                self._open[key] = replace(series, associations=series.associations - {association})

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
