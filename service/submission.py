"""Putting a series into the queue, in place of earlier jobs of the same series."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from service.series_register import RegisteredSeries, SeriesRegister
from service.workspace import Workspace

log = logging.getLogger(__name__)


class Submits(Protocol):
    """The queue, as far as the intake needs it."""

    def submit(self, job_id: str, priority: int) -> None:
        """Put a job in the queue; one that was ever submitted is left as it is."""

    def withdraw(self, job_id: str) -> bool:
        """Cancel a job that no worker has taken yet; whether it was so."""


class Submission:
    """Submits series; all it does can be done again after a crash in between."""

    def __init__(self, folder: Path, queue: Submits, register: SeriesRegister) -> None:
        self._folder = folder
        self._queue = queue
        self._register = register

    def submit(self, series: RegisteredSeries) -> None:
        """Queue the job of a series; `series.reason` is kept with it."""
        jobs = self._register.jobs_of(series.SeriesInstanceUID)
        earlier = () if series.job_id in jobs else jobs[::-1]
        workspace = Workspace(self._folder / series.job_id)
        if series.job_id not in jobs:
            request = workspace.request()
            workspace.put_request(replace(request, supersedes=earlier, choice=series.reason))
        self._queue.submit(series.job_id, series.facts.priority)
        for job_id in earlier:
            self._supersede(job_id, series)
        self._register.note_job(series.SeriesInstanceUID, series.job_id)
        log.info(
            "series queued",
            extra={
                "series": series.SeriesInstanceUID,
                "images": series.facts.images,
                "job": series.job_id,
                "priority": series.facts.priority,
                "choice": series.reason,
                "supersedes": list(earlier),
            },
        )

    def withdraw(self, series: RegisteredSeries) -> bool:
        """Take the job of a series out of the queue, if no worker has it yet."""
        return self._queue.withdraw(series.job_id)

    def _supersede(self, job_id: str, by: RegisteredSeries) -> None:
        """Mark an earlier job of the series; one that has not begun is not done at all."""
        if (self._folder / job_id).is_dir():
            Workspace(self._folder / job_id).put_superseded(by.job_id)
        if self._queue.withdraw(job_id):
            log.info("queued job superseded", extra={"job": job_id, "by": by.job_id})
