"""Deleting what was kept long enough: images, results, and the rows that tell of them."""

from __future__ import annotations

import logging
import shutil
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from node import Spool
from node.index import SeriesRecord
from node.ledger_upkeep import LedgerUpkeep
from service.audit import SILENT, Recorder
from service.config import Config
from service.fetch.leftovers import purge_leftovers
from service.jobs import Jobs
from service.layout import jobs_folder
from service.request import read_request
from service.series_register import SeriesRegister

log = logging.getLogger(__name__)

MARGIN = timedelta(hours=1)
"""Images reach the spool before their job is queued: at most so long, or they wait for the disk."""


class Retention:
    """Purges by `service.retention`; images of a job that has not ended are never touched."""

    def __init__(
        self,
        config: Config,
        jobs: Jobs,
        spool: Spool,
        register: SeriesRegister,
        deliveries: LedgerUpkeep,
        recorder: Recorder = SILENT,
    ) -> None:
        self._config = config
        self._jobs = jobs
        self._spool = spool
        self._register = register
        self._deliveries = deliveries
        self._recorder = recorder

    def purge(self) -> None:
        """Delete what is due, and say how much."""
        limits = self._config.service.retention
        images_age = timedelta(days=limits.images_days)
        results_age = timedelta(days=limits.results_days)
        deleted = {
            "series": self._purge_images(images_age),
            "fetched": purge_leftovers(self._config, images_age),
            "damaged_files": self._spool.purge_damaged(images_age.total_seconds()),
            "jobs": self._purge_jobs(results_age),
            "abandoned_folders": self._purge_abandoned(results_age),
            "left_out": len(self._register.forget_left_out(results_age.total_seconds())),
            "commitments": self._deliveries.forget_unreported(results_age.total_seconds()),
        }
        if any(deleted.values()):
            log.info("retention", extra={f"{name}_deleted": n for name, n in deleted.items()})

    def _purge_images(self, age: timedelta) -> int:
        waiting_since = self._jobs.oldest_unfinished()
        if waiting_since is not None:
            age = max(age, datetime.now(UTC) - waiting_since + MARGIN)
        before = time.time() - age.total_seconds()
        records = map(self._spool.index.record, self._spool.index.handed_before(before))
        return sum(self._purge_series(record, before) for record in records if record is not None)

    def _purge_series(self, record: SeriesRecord, before: float) -> bool:
        # A late image may have come since the series was found to be old enough.
        if not self._spool.purge_rested(record.key, before):
            return False
        self._tell("images", record.StudyInstanceUID, record.SeriesInstanceUID)
        return True

    def _purge_jobs(self, age: timedelta) -> int:
        jobs = self._jobs.forget_ended(age)
        folders = [jobs_folder(self._config) / job_id for job_id in jobs]
        for folder in folders:
            self._purge_folder(folder)
        self._deliveries.forget_below(folders)
        self._register.forget(jobs)
        return len(jobs)

    def _purge_abandoned(self, age: timedelta) -> int:
        """Folders that no job belongs to: of series left out, of jobs withdrawn from the queue."""
        folder, limit = jobs_folder(self._config), time.time() - age.total_seconds()
        if not folder.is_dir():
            return 0
        old = [each for each in folder.iterdir() if each.stat().st_mtime < limit]
        known = self._jobs.ids() if old else frozenset()
        kept = known | {each.job_id for each in self._register.waiting()}
        abandoned = [each for each in old if each.name not in kept]
        for each in abandoned:
            self._purge_folder(each)
        return len(abandoned)

    def _purge_folder(self, folder: Path) -> None:
        study, series = "", ""
        with suppress(OSError, ValueError):
            request = read_request(folder)
            study, series = request.StudyInstanceUID or "", request.SeriesInstanceUID or ""
        shutil.rmtree(folder, ignore_errors=True)
        self._tell("results", study, series)

    def _tell(self, what: str, study: str, series: str) -> None:
        """One line for each series, for whoever asks later where it is."""
        log.info("deleted", extra={"what": what, "study": study, "series": series})
        if study:
            self._recorder.deleted(study)
