"""Lets several threads use something at once, or one have it alone, by key, in order of arrival."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class _Line:
    """Who waits for one key, in order of arrival, and who is in."""

    waiting: deque[object] = field(default_factory=deque)
    sharing: int = 0
    is_taken: bool = False

    @property
    def is_empty(self) -> bool:
        return not (self.waiting or self.sharing or self.is_taken)


class Gate:
    """Shared and exclusive access, by key.

    Nobody overtakes: whoever comes again and again keeps nobody out. So a thread that is in must
    not ask for the same key once more.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._lines: dict[str, _Line] = {}

    @contextmanager
    def shared(self, key: str) -> Iterator[None]:
        """Hold a key against `alone`; several holders at once."""
        with self._changed:
            line = self._lines.setdefault(key, _Line())
            self._queue(line, lambda: not line.is_taken)
            line.sharing += 1
        try:
            yield
        finally:
            with self._changed:
                line.sharing -= 1
                self._leave(key, line)

    @contextmanager
    def alone(self, key: str) -> Iterator[None]:
        """Have a key alone."""
        with self._changed:
            line = self._lines.setdefault(key, _Line())
            self._queue(line, lambda: not (line.is_taken or line.sharing))
            line.is_taken = True
        try:
            yield
        finally:
            with self._changed:
                line.is_taken = False
                self._leave(key, line)

    def _queue(self, line: _Line, may_enter: Callable[[], bool]) -> None:
        """Wait until it is the caller's turn and nobody is in the way."""
        if not line.waiting and may_enter():
            return
        place = object()
        line.waiting.append(place)
        try:
            while line.waiting[0] is not place or not may_enter():
                self._changed.wait()
        finally:
            line.waiting.remove(place)
            # Whoever is next may share with the caller.
            self._changed.notify_all()

    def _leave(self, key: str, line: _Line) -> None:
        if line.is_empty:
            del self._lines[key]
        elif line.waiting:
            self._changed.notify_all()
