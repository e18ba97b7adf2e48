"""A queue of DBOS that knows when this process last looked into it."""

from __future__ import annotations

import time
from typing import Any

from dbos import Queue

STALLED_SECONDS = 300.0
"""DBOS looks five times a second, at the slowest every two minutes after collisions."""


class WatchedQueue(Queue):
    """Each look for work asks for the limits first; that moment is kept."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.last_look = time.monotonic()
        super().__init__(*args, **kwargs)

    def _resolve_limits(self) -> Any:
        self.last_look = time.monotonic()
        return super()._resolve_limits()

    def stalled(self) -> str:
        """Why no work is taken from this queue any more, or an empty text."""
        silent = time.monotonic() - self.last_look
        if silent <= STALLED_SECONDS:
            return ""
        return f"nothing looked for work in queue {self.name} for {silent:.0f} s"
