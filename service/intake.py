"""From a complete series to a job, or to the kept reason why there is none.

The rules come first (`service.rules`). What they admit waits for the other series of its study
(`service.study_desk`), because of several that show the same thing only the best is analysed.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from node import ReceivedSeries
from service.config import Config
from service.fetch.ledger import was_asked_for
from service.layout import fetch_ledger_file, jobs_folder
from service.metrics import Metrics
from service.priority import BACKFILL_PRIORITY
from service.request import Request
from service.rules import LeftOut, reason_to_leave_out, urgency
from service.series_facts import SeriesFacts, read_facts
from service.series_register import RegisteredSeries, SeriesRegister, SeriesState
from service.study_desk import StudyDesk
from service.submission import Submission, Submits
from service.toolbox import Toolbox
from service.workspace import Workspace

log = logging.getLogger(__name__)

_JOB_ID_LENGTH = 16
_DECIDED = (SeriesState.CHOSEN, SeriesState.NOT_ANALYSABLE)


def _nothing_arriving(study_instance_uid: str) -> bool:
    del study_instance_uid
    return False


class Intake:
    """Turns complete series into jobs; submitting the same instances again changes nothing.

    Parameters
    ----------
    still_arriving
        Whether a study, by its UID, has series that are not complete yet.
    """

    def __init__(
        self,
        toolbox: Toolbox,
        queue: Submits,
        register: SeriesRegister,
        metrics: Metrics,
        still_arriving: Callable[[str], bool] = _nothing_arriving,
    ) -> None:
        self._toolbox = toolbox
        self._register = register
        self._metrics = metrics
        self._rules = toolbox.config.rules
        self.submission = Submission(jobs_folder(toolbox.config), queue, register)
        self.desk = StudyDesk(register, self.submission, self._rules, still_arriving, self._count)

    def start(self) -> None:
        """Take up the studies that waited when the service stopped."""
        self.desk.start()

    def stop(self) -> None:
        """Decide nothing more; what waits is decided after the next start."""
        self.desk.stop()

    def follow(self, config: Config) -> None:
        """Decide by the rules of this configuration from now on."""
        self._rules = config.rules
        self.desk.follow(config.rules)

    def series_complete(self, series: ReceivedSeries) -> None:
        """Enter a series; it becomes a job now, with its study, or never."""
        facts = read_facts(file.path for file in series.files)
        facts = replace(facts, priority=self._priority(facts, series))
        entry = RegisteredSeries(
            SeriesInstanceUID=series.SeriesInstanceUID,
            StudyInstanceUID=series.StudyInstanceUID,
            job_id=self._job_id(series),
            state=SeriesState.WAITING,
            calling_ae_title=series.calling_ae_title,
            facts=facts,
        )
        # Also of a series that is left out: somebody may ask for it.
        self._put_request(series, entry)
        left_out = reason_to_leave_out(facts, self._rules)
        if left_out is not None:
            self._leave_out(entry, left_out, series)
            return
        known = self._register.find(series.SeriesInstanceUID)
        if known is not None and known.job_id == entry.job_id and known.state in _DECIDED:
            self.submission.submit(known)
            return
        self._register.enter(entry)
        self.desk.entered(entry)
        log.info(
            "series received",
            extra={
                "series": entry.SeriesInstanceUID,
                "images": len(series.files),
                "complete_by": series.reason,
                "job": entry.job_id,
            },
        )

    def _priority(self, facts: SeriesFacts, series: ReceivedSeries) -> int:
        """What was fetched is old, whatever urgency its request had then."""
        ledger = fetch_ledger_file(self._toolbox.config)
        if was_asked_for(ledger, series.SeriesInstanceUID):
            return BACKFILL_PRIORITY
        return urgency(facts, self._rules, series.calling_ae_title)

    def _leave_out(self, entry: RegisteredSeries, why: LeftOut, series: ReceivedSeries) -> None:
        self._register.enter(
            replace(entry, state=SeriesState.LEFT_OUT, rule=why.rule, reason=why.text)
        )
        self._count(why.rule)
        log.info(
            "series left out",
            extra={
                "series": entry.SeriesInstanceUID,
                "images": len(series.files),
                "complete_by": series.reason,
                "rule": why.rule,
                "reason": why.text,
            },
        )

    def _count(self, rule: str) -> None:
        self._metrics.series_left_out.labels(rule).inc()

    def _put_request(self, series: ReceivedSeries, entry: RegisteredSeries) -> None:
        """Keep what is to be analysed; the first time counts."""
        workspace = Workspace(jobs_folder(self._toolbox.config) / entry.job_id)
        if workspace.has_request():
            return
        workspace.put_request(
            Request(
                job_id=entry.job_id,
                files=tuple(file.path.absolute() for file in series.files),
                created=datetime.now(UTC).isoformat(timespec="seconds"),
                StudyInstanceUID=series.StudyInstanceUID,
                SeriesInstanceUID=series.SeriesInstanceUID,
                priority=entry.facts.priority,
                min_levels=self._rules.min_levels,
            )
        )

    def _job_id(self, series: ReceivedSeries) -> str:
        identity = "\n".join(
            (
                series.SeriesInstanceUID,
                series.instance_set_digest,
                self._toolbox.configuration_digest,
            )
        )
        return hashlib.sha256(identity.encode()).hexdigest()[:_JOB_ID_LENGTH]
