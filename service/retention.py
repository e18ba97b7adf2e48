"""Deleting what was kept long enough: images, results, rows of the queue."""

from __future__ import annotations

import logging
import shutil
from datetime import UTC, datetime, timedelta

from node import Spool
from service.config import Config
from service.jobs import Jobs
from service.layout import jobs_folder

log = logging.getLogger(__name__)


class Retention:
    """Purges by `service.retention`; images of a job that has not ended are never touched."""

    def __init__(self, config: Config, jobs: Jobs, spool: Spool) -> None:
        self._config = config
        self._jobs = jobs
        self._spool = spool

    def purge(self) -> None:
        """Delete what is due, and say how much."""
        limits = self._config.service.retention
        waiting_since = self._jobs.oldest_unfinished()
        images_age = timedelta(days=limits.images_days)
        if waiting_since is not None:
            images_age = max(images_age, datetime.now(UTC) - waiting_since + timedelta(hours=1))
        series = self._spool.purge_handed_over(images_age.total_seconds())
        jobs = self._jobs.forget_ended(timedelta(days=limits.results_days))
        for job_id in jobs:
            shutil.rmtree(jobs_folder(self._config) / job_id, ignore_errors=True)
        if series or jobs:
            log.info("retention", extra={"series_deleted": series, "jobs_deleted": len(jobs)})
