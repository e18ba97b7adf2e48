"""Lets many threads publish into a series at once, and purging have it alone."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager


class SeriesGate:
    """Shared and exclusive access, by series key."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._publishing: Counter[str] = Counter()
        self._purging: set[str] = set()

    @contextmanager
    def publishing(self, key: str) -> Iterator[None]:
        """Hold a series against purging; several holders at once."""
        with self._changed:
            self._changed.wait_for(lambda: key not in self._purging)
            self._publishing[key] += 1
        try:
            yield
        finally:
            with self._changed:
                self._publishing[key] -= 1
                if not self._publishing[key]:
                    del self._publishing[key]
                self._changed.notify_all()

    @contextmanager
    def purging(self, key: str) -> Iterator[None]:
        """Have a series alone."""
        with self._changed:
            self._changed.wait_for(lambda: key not in self._purging and key not in self._publishing)
            self._purging.add(key)
        try:
            yield
        finally:
            with self._changed:
                self._purging.discard(key)
                self._changed.notify_all()
