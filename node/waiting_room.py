"""Where the library's association thread stops while we send and wait for the answer.

pynetdicom stops that thread with an event, but asks only whether it has come by the event, not
whether it stands there: on a busy machine the thread can be on its way past, and takes the answer
that the sender then waits for in vain until its time limit.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from pynetdicom.association import Association

ARRIVAL_SECONDS = 10.0
"""Longer than any handler of ours takes; then sending goes on as the library alone would."""

_LOOK_SECONDS = 0.05


class WaitingRoom(threading.Event):
    """An event whose `clear` returns once the one thread that waits for it stands still.

    Parameters
    ----------
    has_ended
        Whether that thread will never come again.
    """

    def __init__(self, has_ended: Callable[[], bool]) -> None:
        super().__init__()
        self._has_ended = has_ended
        self._changed = threading.Condition()
        self._open = True
        self._occupied = False
        super().set()

    def set(self) -> None:
        """Let the thread go on."""
        with self._changed:
            self._open = True
            super().set()
            self._changed.notify_all()

    def clear(self) -> None:
        """Close the way, and wait for the thread to arrive."""
        deadline = time.monotonic() + ARRIVAL_SECONDS
        with self._changed:
            self._open = False
            super().clear()
            while not self._occupied and not self._has_ended() and time.monotonic() < deadline:
                self._changed.wait(_LOOK_SECONDS)

    def wait(self, timeout: float | None = None) -> bool:
        """Stay as long as the way is closed; leaving and being seen to leave are one step."""
        with self._changed:
            self._occupied = True
            self._changed.notify_all()
            passed = self._changed.wait_for(lambda: self._open, timeout)
            self._occupied = False
            return passed


def install(association: Association) -> None:
    """Stop this association's thread in a waiting room from now on; no answer may be pending."""
    before = association._reactor_checkpoint
    association._reactor_checkpoint = WaitingRoom(lambda: not association.is_alive())
    association._serve_request = _serving(association)  # type: ignore[assignment]
    before.set()


def _serving(association: Association) -> Callable[[Any, int], None]:
    """Serve requests without taking back that the association's thread stands still.

    pynetdicom serves N-EVENT-REPORT in a thread of its own, which ends by noting that the
    association's thread is under way. That thread may be waiting meanwhile, and whoever waits for
    the note before sending or releasing would wait for ever. In a waiting room the note says
    nothing: `WaitingRoom.clear` has seen the thread arrive.
    """
    serve = association._serve_request

    def serve_request(message: Any, context_id: int) -> None:
        try:
            serve(message, context_id)
        finally:
            association._is_paused = True

    return serve_request
