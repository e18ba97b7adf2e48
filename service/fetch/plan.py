"""From what was asked for to the series that will be fetched, and those that will not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from node.query import ArchiveQuery, FoundSeries, FoundStudy, StudyKeys, StudyWindow
from node.query_windows import studies_in
from service.fetch.asked import Asked, AskedStudy
from service.fetch.candidates import Filters
from service.fetch.person import Person
from service.fetch.watch import Watch


@dataclass(frozen=True)
class PlannedStudy:
    """A study with the series to fetch; `accession_number` only where it was asked for by that."""

    StudyInstanceUID: str
    accession_number: str
    person: Person
    series: tuple[FoundSeries, ...]


@dataclass(frozen=True)
class LeftOutSeries:
    """A series that is not fetched, and why; SeriesInstanceUID is empty for a whole study."""

    StudyInstanceUID: str
    SeriesInstanceUID: str
    description: str
    reason: str


@dataclass
class Plan:
    """What will be fetched.

    Attributes
    ----------
    warnings
        What may be missing from the plan: cut lists, studies that were not found.
    """

    studies: list[PlannedStudy] = field(default_factory=list)
    left_out: list[LeftOutSeries] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    not_found: int = 0

    @property
    def series(self) -> Iterator[tuple[PlannedStudy, FoundSeries]]:
        """Every series with its study, in order."""
        return ((study, series) for study in self.studies for series in study.series)


class Planner:
    """Asks one archive; every method of the query may raise `NodeError`."""

    def __init__(self, query: ArchiveQuery, filters: Filters, watch: Watch) -> None:
        self._query = query
        self._filters = filters
        self._watch = watch
        self._plan = Plan()
        self._seen: set[str] = set()

    def plan(self, asked: Asked) -> Plan:
        """Return what will be fetched for what was asked."""
        total = len(asked.studies) + len(asked.days)
        for number, study in enumerate(asked.studies):
            self._watch.asked(number, total)
            self._by_name(study)
        for number, window in enumerate(asked.windows(), len(asked.studies)):
            self._watch.asked(number, total)
            self._by_day(window, asked.person)
        self._watch.asked(total, total)
        return self._plan

    def _by_name(self, asked: AskedStudy) -> None:
        answers = self._query.studies(asked.keys)
        self._warn(answers.shortfall)
        if not answers.items:
            self._plan.not_found += 1
            self._warn(f"{asked.label}: the archive has no such study")
        for study in answers.items:
            self._take(study, asked.person, asked.keys.AccessionNumber)

    def _by_day(self, window: StudyWindow, person: Person) -> None:
        keys = StudyKeys(ModalitiesInStudy=self._filters.modality)
        answers = studies_in(self._query, keys, window)
        if answers.shortfall:
            self._warn(f"{window.day}: {answers.shortfall}")
        for study in answers.items:
            self._take(study, person)

    def _take(self, study: FoundStudy, person: Person, accession_number: str = "") -> None:
        uid = study.StudyInstanceUID
        if uid in self._seen:
            return
        self._seen.add(uid)
        reason = self._filters.study_left_out(study.StudyDescription)
        if reason:
            self._leave_out(uid, "", study.StudyDescription, reason)
            return
        answers = self._query.series(uid)
        self._warn(answers.shortfall)
        kept = tuple(series for series in answers.items if self._is_candidate(series))
        if kept:
            self._plan.studies.append(PlannedStudy(uid, accession_number, person, kept))

    def _is_candidate(self, series: FoundSeries) -> bool:
        reason = self._filters.series_left_out(series)
        if not reason and self._filters.is_short(series):
            uids = series.StudyInstanceUID, series.SeriesInstanceUID
            instances = self._query.instances(*uids).items
            reason = self._filters.short_left_out(series.images or 0, instances)
        if reason:
            self._leave_out(
                series.StudyInstanceUID,
                series.SeriesInstanceUID,
                series.SeriesDescription,
                reason,
            )
        return not reason

    def _leave_out(self, study_uid: str, series_uid: str, description: str, reason: str) -> None:
        self._plan.left_out.append(LeftOutSeries(study_uid, series_uid, description, reason))

    def _warn(self, text: str) -> None:
        if text and text not in self._plan.warnings:
            self._plan.warnings.append(text)
