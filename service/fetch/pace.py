"""How fast, and at which hours, an archive is fetched from: it serves patients meanwhile."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from datetime import time as clock_time

from service.errors import UsageError

LONGEST_NAP_SECONDS = 60.0
"""A clock that is set forward, or a machine that slept, is noticed after this long."""
_HOURS = re.compile(r"(\d{1,2}):(\d{2})-(\d{1,2}):(\d{2})")

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Hours:
    """A part of each day, local time; it may reach over midnight."""

    first: clock_time
    last: clock_time

    def wait_until(self, now: datetime) -> datetime | None:
        """When it begins next, or None within it."""
        at = now.time()
        if self.first <= self.last:
            within = self.first <= at < self.last
        else:
            within = at >= self.first or at < self.last
        if within:
            return None
        begin = datetime.combine(now.date(), self.first)
        return begin if begin > now else begin + timedelta(days=1)


def parse_hours(text: str) -> Hours:
    """Read hours such as ``19:00-06:00``.

    Raises
    ------
    UsageError
        The text is no such thing.
    """
    match = _HOURS.fullmatch(text.strip())
    try:
        if match is None:
            raise ValueError
        numbers = [int(group) for group in match.groups()]
        hours = Hours(clock_time(numbers[0], numbers[1]), clock_time(numbers[2], numbers[3]))
    except ValueError as error:
        raise UsageError(f"--hours {text!r}: expected hours such as 19:00-06:00") from error
    if hours.first == hours.last:
        raise UsageError(f"--hours {text!r}: begins when it ends")
    return hours


@dataclass(frozen=True)
class Pace:
    """The limits; None: no limit."""

    series_per_minute: float | None = None
    bytes_per_second: float | None = None
    hours: Hours | None = None

    def seconds_for(self, size_bytes: int) -> float:
        """How long one series of that size has to take, on average."""
        by_number = 60.0 / self.series_per_minute if self.series_per_minute else 0.0
        by_size = size_bytes / self.bytes_per_second if self.bytes_per_second else 0.0
        return max(by_number, by_size)


class Pacer:
    """Waits between series; one that took longer than it had to earns no burst later."""

    def __init__(
        self,
        pace: Pace,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = datetime.now,
    ) -> None:
        self._pace = pace
        self._sleep = sleep
        self._clock = clock
        self._now = now
        self._begun_at = 0.0
        self._next_at = 0.0

    def begin(self, tell: Tell) -> None:
        """Wait until the next series may be fetched."""
        while (until := self._closed_until()) is not None:
            tell(f"waiting until {until:%H:%M}")
            self.pause((until - self._now()).total_seconds())
        while (wait := self._next_at - self._clock()) > 0:
            tell("keeping the rate")
            self.pause(wait)
        self._begun_at = self._clock()

    def fetched(self, size_bytes: int) -> None:
        """Note that a series arrived."""
        self._next_at = self._begun_at + self._pace.seconds_for(size_bytes)

    def pause(self, seconds: float) -> None:
        """Sleep, at most a minute."""
        self._sleep(min(max(seconds, 0.0), LONGEST_NAP_SECONDS))

    def _closed_until(self) -> datetime | None:
        return None if self._pace.hours is None else self._pace.hours.wait_until(self._now())
