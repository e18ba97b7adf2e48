"""Hands completed series to their consumer, at least once each, in a thread of its own."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import replace
from functools import partial

from node.backoff import BackoffPolicy, delay_seconds
from node.count_inquiry import CountInquiry, CountQuestion
from node.foreign import attempt
from node.index import SeriesRecord
from node.observer import NodeObserver
from node.received import ReceivedSeries
from node.series import CompletionReason, SeriesTracker
from node.settings import SeriesSettings
from node.spool import Spool

LOG = logging.getLogger(__name__)
SeriesConsumer = Callable[[ReceivedSeries], None]
LONGEST_NAP_SECONDS = 0.25
RETRY = BackoffPolicy(first_seconds=1.0, longest_seconds=60.0)


class CompletionDispatcher:
    """Follows the open series and calls the consumer when one is complete.

    A series is marked handed over only after the consumer returned. What was not, is tried
    again: after a failure with growing delay, after a restart because the index says so.

    Parameters
    ----------
    on_tick
        Called before each look at the clock, for whoever reports ended associations.
    """

    def __init__(
        self,
        spool: Spool,
        settings: SeriesSettings,
        consumer: SeriesConsumer,
        observer: NodeObserver,
        on_tick: Callable[[], None],
    ) -> None:
        self._spool = spool
        self._consumer = consumer
        self._observer = observer
        self._on_tick = on_tick
        self._lock = threading.Lock()
        self._tracker = SeriesTracker(settings)
        self._failures: dict[str, int] = {}
        self._retries: dict[str, tuple[float, CompletionReason]] = {}
        self._announced: dict[str, int] = {}
        source = settings.announced
        self._inquiry = None if source is None else CountInquiry(source, self._count_answered)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="node-completion", daemon=True)

    def start(self) -> None:
        """Take up the series left over from the last run, and start."""
        now = time.monotonic()
        with self._lock:
            for key in self._spool.index.unhanded_series():
                self._tracker.restored(key, now)
        if self._inquiry is not None:
            self._inquiry.start()
        self._thread.start()

    def stop(self) -> None:
        """Stop after the hand-over in progress; open series stay for the next start."""
        self._stopping.set()
        if self._inquiry is not None:
            self._inquiry.stop()
        if self._thread.is_alive():
            self._thread.join()

    def instance_stored(self, key: str, association: Hashable) -> None:
        """Follow a series that got a new or changed instance."""
        with self._lock:
            self._tracker.instance_stored(key, association, time.monotonic())

    def association_closed(self, association: Hashable) -> None:
        """Note the end of an association."""
        with self._lock:
            self._tracker.association_closed(association)

    def counts(self) -> tuple[int, int]:
        """Return how many series are open, and how many wait for another hand-over attempt."""
        with self._lock:
            return len(self._tracker.open_series), len(self._retries)

    def _run(self) -> None:
        while not self._stopping.wait(self._nap_seconds()):
            self._do_without("observer", self._on_tick)
            self._do_without("asking for counts", self._ask_for_counts)
            for key, reason in self._take_due():
                if self._stopping.is_set():
                    return
                # The disk may be full, or the consumer fail: the series must not be lost.
                failure = attempt(partial(self._hand_over, key, reason))
                if failure is not None:
                    self._retry_later(key, reason, failure)

    def _do_without(self, what: str, step: Callable[[], None]) -> None:
        """Take a step that may fail, on a full disk for example: hand-over goes on."""
        failure = attempt(step)
        if failure is not None:
            LOG.error("%s failed: %s", what, type(failure).__name__)

    def _ask_for_counts(self) -> None:
        if self._inquiry is None:
            return
        with self._lock:
            questions = self._tracker.take_questions(time.monotonic())
        for question in questions:
            record = self._spool.index.record(question[0])
            if record is not None:
                uids = (record.StudyInstanceUID, record.SeriesInstanceUID)
                self._inquiry.ask(CountQuestion(*uids, question))

    def _count_answered(self, question: CountQuestion, announced: int | None) -> None:
        key, _ = question.asked_for
        record = self._spool.index.record(key)
        received = 0 if record is None else len(record.instances)
        with self._lock:
            if announced is not None:
                self._announced[key] = announced
            now = time.monotonic()
            self._tracker.count_answered(question.asked_for, announced, received, now)

    def _nap_seconds(self) -> float:
        with self._lock:
            due_at = self._tracker.next_due_at()
        if due_at is None:
            return LONGEST_NAP_SECONDS
        return min(LONGEST_NAP_SECONDS, max(0.01, due_at - time.monotonic()))

    def _take_due(self) -> list[tuple[str, CompletionReason]]:
        now = time.monotonic()
        with self._lock:
            due = list(self._tracker.take_due(now))
            retried = [key for key, (at, _) in self._retries.items() if at <= now]
            due += [(key, self._retries.pop(key)[1]) for key in retried]
        return due

    def _hand_over(self, key: str, reason: CompletionReason) -> None:
        record = self._spool.index.record(key)
        if record is None or record.revision <= record.handed_revision:
            return
        series = self._described(record, reason)
        self._consumer(series)
        self._spool.index.mark_handed_over(key, record.revision)
        self._failures.pop(key, None)
        self._announced.pop(key, None)
        _log_completion(series)
        self._observer.series_complete(series)

    def _described(self, record: SeriesRecord, reason: CompletionReason) -> ReceivedSeries:
        series = self._spool.describe_series(record, reason)
        return replace(series, announced_instances=self._announced.get(record.key))

    def _retry_later(self, key: str, reason: CompletionReason, error: Exception) -> None:
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        delay = delay_seconds(RETRY, failures, random.random())
        LOG.error(
            "series folder %s could not be handed over (%s), attempt %d; again in %.1f s",
            key,
            type(error).__name__,
            failures,
            delay,
        )
        with self._lock:
            self._retries[key] = (time.monotonic() + delay, reason)


def _log_completion(series: ReceivedSeries) -> None:
    if series.reason == CompletionReason.FEWER_THAN_EXPECTED:
        LOG.warning(
            "series %s is partial: %d of %s instances came within the longest wait",
            series.SeriesInstanceUID,
            len(series.files),
            series.announced_instances,
        )
        return
    LOG.info(
        "series %s complete (%s): %d instances",
        series.SeriesInstanceUID,
        series.reason,
        len(series.files),
    )
