"""Many series, one after the other: attempts, pace, the ledger, and when to give up."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from node import BackoffPolicy, NodeError, Permanent, Retryable, delay_seconds
from node.query import FoundSeries
from node.retrieve import Progress
from service.fetch.ledger import FetchLedger, FetchState, LedgerEntry, LedgerStudy
from service.fetch.pace import Pacer
from service.fetch.plan import Plan, PlannedStudy
from service.fetch.watch import Watch

PATIENCE = BackoffPolicy(first_seconds=2.0, factor=6.0, longest_seconds=300.0, most_attempts=4)
"""A restart of the archive passes; a series that it cannot send costs some minutes."""
MOST_FAILURES_IN_A_ROW = 3
"""Then it is the archive, and not the series."""


@dataclass(frozen=True)
class Arrived:
    """A series that is whole: how many images, and their size in bytes where it is known."""

    images: int
    size_bytes: int = 0


class Road(Protocol):
    """Where fetched series go: to the running node, or through an analysis here."""

    def already(self, series: FoundSeries) -> str:
        """Why a series need not be fetched; empty if it has to be."""

    def make_room(self, watch: Watch) -> str:
        """Wait until there is room for one more; return why there will be none, if so."""

    def fetch(self, series: FoundSeries, progress: Progress) -> Arrived:
        """Fetch one series whole and keep it durably; raises `NodeError`."""

    def study_through(self, study: PlannedStudy) -> None:
        """All that can be fetched of a study now is here."""


@dataclass(frozen=True)
class SeriesOutcome:
    """What became of one planned series in this run."""

    study: PlannedStudy
    series: FoundSeries
    skipped: bool = False


@dataclass(frozen=True)
class Run:
    """What a run did; `stopped` says why it ended early."""

    outcomes: tuple[SeriesOutcome, ...]
    stopped: str = ""


class Transfer:
    """One run."""

    def __init__(self, road: Road, ledger: FetchLedger, pacer: Pacer, watch: Watch) -> None:
        self._road = road
        self._ledger = ledger
        self._pacer = pacer
        self._watch = watch
        self._failures_in_a_row = 0
        self._outcomes: list[SeriesOutcome] = []

    def run(self, plan: Plan) -> Run:
        """Fetch every series of the plan that is not there yet."""
        total = sum(1 for _ in plan.series)
        for study in plan.studies:
            said = LedgerStudy(study.StudyInstanceUID, study.accession_number, study.person)
            self._ledger.enter_study(said)
            for series in study.series:
                self._watch.series(len(self._outcomes) + 1, total)
                stopped = self._series(study, series)
                if stopped:
                    return Run(tuple(self._outcomes), stopped)
            self._road.study_through(study)
        self._watch.series(total + 1, total)
        return Run(tuple(self._outcomes))

    def _series(self, study: PlannedStudy, series: FoundSeries) -> str:
        """Fetch one series if need be; return why the run ends here, if so."""
        if self._road.already(series):
            self._outcomes.append(SeriesOutcome(study, series, skipped=True))
            return ""
        full = self._road.make_room(self._watch)
        if full:
            return f"stopped: {full}"
        entry = LedgerEntry(
            series.SeriesInstanceUID,
            series.StudyInstanceUID,
            FetchState.ASKED,
            announced=series.images,
        )
        self._fetch(series, entry)
        self._outcomes.append(SeriesOutcome(study, series))
        if self._failures_in_a_row < MOST_FAILURES_IN_A_ROW:
            return ""
        last = self._ledger.find(series.SeriesInstanceUID) or entry
        return f"stopped: {MOST_FAILURES_IN_A_ROW} series in a row failed; the last: {last.reason}"

    def _fetch(self, series: FoundSeries, asked: LedgerEntry) -> None:
        self._pacer.begin(self._watch.doing)
        self._ledger.enter(asked)
        self._watch.doing("fetching")
        try:
            arrived = self._attempts(lambda: self._road.fetch(series, self._watch.images))
        except NodeError as error:
            self._failures_in_a_row += 1
            self._ledger.enter(replace(asked, state=FetchState.FAILED, reason=str(error)))
            return
        self._failures_in_a_row = 0
        self._pacer.fetched(arrived.size_bytes)
        self._ledger.enter(replace(asked, state=FetchState.FETCHED, images=arrived.images))

    def _attempts(self, fetch: Callable[[], Arrived]) -> Arrived:
        """Try several times; what `Permanent` says will not change by itself."""
        for attempt in range(1, PATIENCE.most_attempts):
            try:
                return fetch()
            except Permanent:
                raise
            except Retryable as error:
                self._watch.doing(f"again soon: {error}")
                self._pacer.pause(delay_seconds(PATIENCE, attempt, random.random()))
        return fetch()
