"""The way of audit messages to where they are kept: queued, so that nothing waits for it."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Sequence

from service.audit.message import AuditMessage
from service.audit.sink import Sink, SinkUnavailable

log = logging.getLogger(__name__)

CAPACITY = 10_000
FIRST_WAIT_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 60.0
STOP_SECONDS = 5.0

Build = Callable[[], AuditMessage]
Count = Callable[[str, str], None]
"""Told the sink and ``written``, ``retried`` or ``lost``."""


def uncounted(sink: str, outcome: str) -> None:
    """For processes without metrics."""
    del sink, outcome


class _Outlet:
    """One sink with a queue and a thread of its own: one that is down holds up no other."""

    def __init__(self, sink: Sink, capacity: int, count: Count) -> None:
        self._sink = sink
        self._count = count
        self._waiting: queue.Queue[bytes] = queue.Queue(capacity)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"audit-{sink.name}", daemon=True)
        self._thread.start()

    def put(self, xml: bytes) -> None:
        try:
            self._waiting.put_nowait(xml)
        except queue.Full:
            self._count(self._sink.name, "lost")
            log.error("audit message lost: too many are waiting", extra={"sink": self._sink.name})

    def stop(self) -> None:
        """Write what waits, as long as the sink takes it at once."""
        self._stopping.set()
        self._thread.join(timeout=STOP_SECONDS)

    def _run(self) -> None:
        while not (self._stopping.is_set() and self._waiting.empty()):
            try:
                xml = self._waiting.get(timeout=0.1)
            except queue.Empty:
                continue
            if not self._write(xml):
                break
        lost = self._waiting.qsize()
        if lost:
            log.error(
                "stopped with audit messages that could not be written",
                extra={"sink": self._sink.name, "messages": lost},
            )
        self._sink.close()

    def _write(self, xml: bytes) -> bool:
        """Write until it is written; False if the service stops first."""
        wait = FIRST_WAIT_SECONDS
        while True:
            try:
                self._sink.write(xml)
            except SinkUnavailable as error:
                self._count(self._sink.name, "retried")
                log.error(
                    "audit message not written yet",
                    extra={"sink": self._sink.name, "problem": str(error)},
                )
                if self._stopping.wait(wait):
                    self._count(self._sink.name, "lost")
                    return False
                wait = min(2 * wait, LONGEST_WAIT_SECONDS)
            else:
                self._count(self._sink.name, "written")
                return True


class AuditTrail:
    """Takes messages from any thread; without sinks it does nothing.

    Parameters
    ----------
    capacity
        Messages that may wait for one sink; further ones are lost, logged and counted.
    """

    def __init__(
        self, sinks: Sequence[Sink], count: Count = uncounted, capacity: int = CAPACITY
    ) -> None:
        self._outlets = [_Outlet(sink, capacity, count) for sink in sinks]
        self._count = count
        self._unbuilt: queue.Queue[Build | None] = queue.Queue(capacity)
        self._thread = threading.Thread(target=self._run, name="audit", daemon=True)
        if self._outlets:
            self._thread.start()

    def record(self, build: Build) -> None:
        """Have a message built and written soon; never waits, never raises."""
        if not self._outlets:
            return
        try:
            self._unbuilt.put_nowait(build)
        except queue.Full:
            self._count("all", "lost")
            log.error("audit message lost: too many are waiting", extra={"sink": "all"})

    def stop(self) -> None:
        """Write what waits, within seconds."""
        if not self._outlets:
            return
        self._unbuilt.put(None)
        self._thread.join(timeout=STOP_SECONDS)
        for outlet in self._outlets:
            outlet.stop()

    def _run(self) -> None:
        while (build := self._unbuilt.get()) is not None:
            xml = build().to_xml()
            for outlet in self._outlets:
                outlet.put(xml)
