"""Guessing passwords is made slow: a few free tries, then each failure doubles the wait."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

FREE_TRIES = 3
LONGEST_WAIT_SECONDS = 60.0
FORGET_SECONDS = 900.0
_MOST_KEYS = 4096


@dataclass
class _Failures:
    count: int
    last: float


class Throttle:
    """Counts failures by key: a user name, an address.

    Nobody waits longer than a minute after the last try that was looked at: an account that
    stays locked would let anybody who knows a name keep its owner out.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._failures: OrderedDict[str, _Failures] = OrderedDict()

    def wait_seconds(self, keys: tuple[str, ...]) -> float:
        """How long until a further try of any of these keys is looked at; 0: at once."""
        with self._lock:
            return max(self._wait(key) for key in keys)

    def count_try(self, keys: tuple[str, ...]) -> None:
        """Count a try as failed before it is looked at: many at once gain nothing."""
        now = self._clock()
        with self._lock:
            for key in keys:
                known = self._failures.pop(key, None)
                fresh = known is None or now - known.last > FORGET_SECONDS
                self._failures[key] = _Failures(1 if fresh else known.count + 1, now)  # type: ignore[union-attr]
            while len(self._failures) > _MOST_KEYS:
                self._failures.popitem(last=False)

    def succeeded(self, keys: tuple[str, ...]) -> None:
        """Forget the failures of these keys."""
        with self._lock:
            for key in keys:
                self._failures.pop(key, None)

    def _wait(self, key: str) -> float:
        failures = self._failures.get(key)
        if failures is None or failures.count < FREE_TRIES:
            return 0.0
        wait = min(2.0 ** (failures.count - FREE_TRIES), LONGEST_WAIT_SECONDS)
        return max(0.0, failures.last + wait - self._clock())
