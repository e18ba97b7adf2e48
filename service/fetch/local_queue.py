"""The queue of an analysis without a node: jobs wait in memory, results lie in one folder each."""

from __future__ import annotations

import shutil
from pathlib import Path


class LocalQueue:
    """Satisfies `service.submission.Submits`.

    What is in it is lost with the process and comes back by itself: a series whose analysis has
    not ended is submitted again at the next run.

    Parameters
    ----------
    results
        Folder with one folder per job that ended.
    """

    def __init__(self, results: Path) -> None:
        self._results = results
        self._waiting: dict[str, int] = {}

    def submit(self, job_id: str, priority: int) -> None:
        """Put a job in the queue, unless its results are there."""
        if not self.folder_of(job_id).is_dir():
            self._waiting[job_id] = priority

    def withdraw(self, job_id: str) -> bool:
        """Take a job back, its results included: nobody has seen them yet."""
        waited = self._waiting.pop(job_id, None) is not None
        ended = self.folder_of(job_id).is_dir()
        shutil.rmtree(self.folder_of(job_id), ignore_errors=True)
        return waited or ended

    def take(self) -> tuple[str, ...]:
        """Take every job, the most urgent first."""
        jobs = sorted(self._waiting, key=self._waiting.__getitem__)
        self._waiting.clear()
        return tuple(jobs)

    def folder_of(self, job_id: str) -> Path:
        """Where the results of a job are when it ended."""
        return self._results / job_id
