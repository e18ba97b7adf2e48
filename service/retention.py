"""Deleting what was kept long enough: images, results, and the rows that tell of them."""

from __future__ import annotations

import logging
import shutil
from datetime import UTC, datetime, timedelta

from node import Spool
from node.ledger_upkeep import LedgerUpkeep
from service.config import Config
from service.jobs import Jobs
from service.layout import jobs_folder
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
    ) -> None:
        self._config = config
        self._jobs = jobs
        self._spool = spool
        self._register = register
        self._deliveries = deliveries

    def purge(self) -> None:
        """Delete what is due, and say how much."""
        limits = self._config.service.retention
        images_age = timedelta(days=limits.images_days)
        results_age = timedelta(days=limits.results_days)
        deleted = {
            "series": self._purge_images(images_age),
            "damaged_files": self._spool.purge_damaged(images_age.total_seconds()),
            "jobs": self._purge_jobs(results_age),
            "left_out": len(self._register.forget_left_out(results_age.total_seconds())),
            "commitments": self._deliveries.forget_unreported(results_age.total_seconds()),
        }
        if any(deleted.values()):
            log.info("retention", extra={f"{name}_deleted": n for name, n in deleted.items()})

    def _purge_images(self, age: timedelta) -> int:
        waiting_since = self._jobs.oldest_unfinished()
        if waiting_since is not None:
            age = max(age, datetime.now(UTC) - waiting_since + MARGIN)
        return self._spool.purge_handed_over(age.total_seconds())

    def _purge_jobs(self, age: timedelta) -> int:
        jobs = self._jobs.forget_ended(age)
        folders = [jobs_folder(self._config) / job_id for job_id in jobs]
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)
        self._deliveries.forget_below(folders)
        self._register.forget(jobs)
        return len(jobs)
