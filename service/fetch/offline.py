"""Fetched series are analysed here, without a running node, into one folder of results each.

The road is the node's own: its rules, its choice of the best series of a study, its steps. Images
are deleted once their study is analysed; where the program failed they stay.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from node import ReceivedSeries
from node.query import ArchiveQuery, FoundSeries
from node.retrieve import Progress
from service.fetch.known import ENDED, analysed_before
from service.fetch.ledger import FetchLedger, FetchState, LedgerEntry, LedgerStudy
from service.fetch.listening import AskedSpool
from service.fetch.person import person_in
from service.fetch.plan import PlannedStudy
from service.fetch.retrieval import SpoolRetriever, listed
from service.fetch.transfer import Arrived
from service.fetch.watch import Watch
from service.series_register import RegisteredSeries, SeriesState

if TYPE_CHECKING:
    from service.fetch.bench import Bench

log = logging.getLogger(__name__)

COMPLETE_BY = "fetched"
HERE = (FetchState.FETCHED, FetchState.ERROR)


class Offline:
    """The road through an analysis here. Satisfies `service.fetch.transfer.Road`."""

    def __init__(
        self, query: ArchiveQuery, retriever: SpoolRetriever, spool: AskedSpool, analysis: Analyst
    ) -> None:
        self._query = query
        self._retriever = retriever
        self._spool = spool
        self._analyst = analysis
        self.study_through = analysis.study_through

    def already(self, series: FoundSeries) -> str:
        """See `Road`."""
        return analysed_before(self._analyst.ledger, series)

    def make_room(self, watch: Watch) -> str:
        """See `Road`."""
        del watch
        if self._spool.has_room():
            return ""
        return "less than node.min_free_gib is free under --out"

    def fetch(self, series: FoundSeries, progress: Progress) -> Arrived:
        """See `Road`."""
        wanted = listed(self._query, series)
        self._spool.ask(series)
        images = self._retriever.retrieve(wanted, progress)
        received = self._spool.received_series(*wanted.uids)
        files = () if received is None else received.files
        return Arrived(images, sum(file.path.stat().st_size for file in files))


class Analyst:
    """Analyses the studies of which all that can be fetched is here."""

    def __init__(self, bench: Bench, spool: AskedSpool, ledger: FetchLedger, watch: Watch) -> None:
        self.ledger = ledger
        self._bench = bench
        self._spool = spool
        self._watch = watch

    def study_through(self, study: PlannedStudy) -> None:
        """See `Road`."""
        received = [series for each in study.series if (series := self._whole(each)) is not None]
        if not received:
            return
        self._note_person(study, received[0])
        for series in received:
            self._bench.enter(series)
        problems: dict[str, str] = {}
        while jobs := self._bench.decide(study.StudyInstanceUID):
            problems |= {job: self._run(job) for job in jobs}
        for entry in self.ledger.series_of(study.StudyInstanceUID):
            if entry.state in (*ENDED, *HERE):
                self._settle(entry, problems)

    def _whole(self, series: FoundSeries) -> ReceivedSeries | None:
        """The images of a series that arrived and were not analysed yet."""
        entry = self.ledger.find(series.SeriesInstanceUID)
        if entry is None or entry.state not in HERE:
            return None
        uids = series.StudyInstanceUID, series.SeriesInstanceUID
        return self._spool.received_series(*uids, COMPLETE_BY)

    def _note_person(self, study: PlannedStudy, received: ReceivedSeries) -> None:
        header = person_in(received.files[0].path, self.ledger.pseudonym_key())
        person = study.person.completed_by(header)
        uid = study.StudyInstanceUID
        self.ledger.enter_study(LedgerStudy(uid, study.accession_number, person))

    def _run(self, job_id: str) -> str:
        """Analyse; return what went wrong, if anything did."""
        try:
            self._bench.run(job_id, self._step)
        except Exception as error:  # one series must not end a cohort of thousands
            log.error("analysis failed: %s", type(error).__name__, extra={"job": job_id})
            log.debug("where it failed", extra={"job": job_id}, exc_info=error)
            return f"the analysis failed: {type(error).__name__}"
        return ""

    def _step(self, step: str, fraction: float) -> None:
        self._watch.doing(f"{step} {fraction:.0%}")

    def _settle(self, entry: LedgerEntry, problems: dict[str, str]) -> None:
        """Enter how a series ended, and delete its images."""
        known = self._bench.register.find(entry.SeriesInstanceUID)
        if known is None:
            return
        ended = self._ended(entry, known, problems)
        self.ledger.enter(ended)
        if ended.state is not FetchState.ERROR:
            self._spool.purge(entry.StudyInstanceUID, entry.SeriesInstanceUID)

    def _ended(
        self, entry: LedgerEntry, known: RegisteredSeries, problems: dict[str, str]
    ) -> LedgerEntry:
        if known.state is SeriesState.LEFT_OUT:
            state, reason, results = FetchState.LEFT_OUT, known.reason, ""
        elif (ending := self._bench.ending_of(known.job_id)) is None:
            state, results = FetchState.ERROR, ""
            reason = problems.get(known.job_id, "the analysis did not end")
        else:
            state, reason, results = FetchState(ending.status), ending.reason, known.job_id
        return replace(entry, state=state, reason=reason, results=results)
