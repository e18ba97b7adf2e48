"""Lets several threads use something at once, or one have it alone, by key."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager


class Gate:
    """Shared and exclusive access, by key."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._sharing: Counter[str] = Counter()
        self._alone_in: set[str] = set()

    @contextmanager
    def shared(self, key: str) -> Iterator[None]:
        """Hold a key against `alone`; several holders at once."""
        with self._changed:
            while key in self._alone_in:
                self._changed.wait()
            self._sharing[key] += 1
        try:
            yield
        finally:
            with self._changed:
                self._sharing[key] -= 1
                if not self._sharing[key]:
                    del self._sharing[key]
                self._changed.notify_all()

    @contextmanager
    def alone(self, key: str) -> Iterator[None]:
        """Have a key alone."""
        with self._changed:
            while key in self._alone_in or key in self._sharing:
                self._changed.wait()
            self._alone_in.add(key)
        try:
            yield
        finally:
            with self._changed:
                self._alone_in.discard(key)
                self._changed.notify_all()
