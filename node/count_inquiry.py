"""Asks how many images a series has, in a thread of its own, so that completion never waits."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from node.expectation import CountSource
from node.foreign import attempt

LOG = logging.getLogger(__name__)
PAUSE_AFTER_FAILURE_SECONDS = 30.0
"""An archive that is down is not asked about every series: they all wait for the same time-out."""


@dataclass(frozen=True)
class CountQuestion:
    """Which series is asked about; `asked_for` is the tracker's and comes back unchanged."""

    StudyInstanceUID: str
    SeriesInstanceUID: str
    asked_for: tuple[str, float]


Answered = Callable[[CountQuestion, int | None], None]


class CountInquiry:
    """One thread, one question at a time; every question is answered, if only with None."""

    def __init__(self, source: CountSource, answered: Answered) -> None:
        self._source = source
        self._answered = answered
        self._questions: queue.SimpleQueue[CountQuestion | None] = queue.SimpleQueue()
        self._not_before = 0.0
        self._thread = threading.Thread(target=self._run, name="node-count", daemon=True)

    def start(self) -> None:
        """Begin to ask."""
        self._thread.start()

    def stop(self) -> None:
        """Ask nothing more; a question on its way ends with its own time-out."""
        self._questions.put(None)

    def ask(self, question: CountQuestion) -> None:
        """Take a question; the answer comes later, in the thread."""
        self._questions.put(question)

    def _run(self) -> None:
        while (question := self._questions.get()) is not None:
            failure = attempt(partial(self._answered, question, self._count(question)))
            if failure is not None:
                LOG.error("an answer was lost: %s", type(failure).__name__)

    def _count(self, question: CountQuestion) -> int | None:
        if time.monotonic() < self._not_before:
            return None
        uids = (question.StudyInstanceUID, question.SeriesInstanceUID)
        count = attempt(lambda: self._source(*uids))
        if not isinstance(count, Exception):
            return count
        self._not_before = time.monotonic() + PAUSE_AFTER_FAILURE_SECONDS
        LOG.warning(
            "the number of images of series %s cannot be asked (%s); series complete by quiet time",
            question.SeriesInstanceUID,
            count,
        )
        return None
