"""How the two threads of an association sleep until there is something to do.

pynetdicom's threads look for work a thousand times a second each. On an established association
they wait here instead: the upper layer for its socket or for something to send, the association's
thread until the upper layer or a caller wakes it.
"""

from __future__ import annotations

import os
import queue
import select
import threading
from typing import Any


class SignallingQueue(queue.Queue[Any]):
    """A queue that makes a file descriptor readable when something is put in."""

    def __init__(self) -> None:
        super().__init__()
        self._closing = threading.Lock()
        self.descriptor = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        """Put an item in and signal it."""
        super().put(item, block, timeout)
        with self._closing:
            if self.descriptor >= 0:
                os.eventfd_write(self.descriptor, 1)

    def acknowledge(self) -> None:
        """Take the signal back; items put in later signal again."""
        try:
            os.eventfd_read(self.descriptor)
        except BlockingIOError:
            return

    def close(self) -> None:
        """Signal no more; the queue itself stays usable."""
        with self._closing:
            if self.descriptor >= 0:
                os.close(self.descriptor)
                self.descriptor = -1


class Checkpoint(threading.Event):
    """Stands for the event at which the library stops an association's thread, set at first.

    The thread passes while the library has it set and `rest` was not called. Whoever sets it
    (every way to send, abort or end does) also ends the rest.
    """

    def __init__(self) -> None:
        super().__init__()
        self._awake = threading.Event()
        self.set()

    def rest(self) -> None:
        """Stop the thread when it comes by the next time."""
        self._awake.clear()

    def wake(self) -> None:
        """Let it go on, unless the library stopped it itself."""
        self._awake.set()

    def set(self) -> None:
        """See `threading.Event`."""
        super().set()
        self._awake.set()

    def wait(self, timeout: float | None = None) -> bool:
        """See `threading.Event`."""
        return self._awake.wait(timeout) and super().wait(timeout)


def wait_readable(descriptors: tuple[int, ...], seconds: float) -> frozenset[int]:
    """Return which become readable, end or fail in time; unlike select, with any numbers."""
    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)
    return frozenset(descriptor for descriptor, _ in poll.poll(seconds * 1000))
