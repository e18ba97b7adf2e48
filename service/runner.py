"""Runs the steps of queued jobs in this process."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict, defaultdict

import structlog

from inference import Notice, UnreadableInput
from service.images_gate import ImagesGate
from service.layout import images_folder, jobs_folder
from service.metrics import Metrics
from service.pipeline import Analysis, PredecessorOf, no_predecessor
from service.series_facts import read_facts
from service.steps import STEPS
from service.toolbox import Toolbox
from service.workspace import Workspace
from sr_writer import SourceUnreadable

log = logging.getLogger(__name__)

STALLED_SECONDS = 2 * 3600.0
"""No step of the largest series comes near this on the slowest machine tried."""


class JobRunner:
    """Keeps the volumes of running jobs in memory between their steps.

    A step whose job is not in memory, after a restart, reads what the steps before it kept.
    """

    def __init__(
        self, toolbox: Toolbox, metrics: Metrics, predecessor_of: PredecessorOf = no_predecessor
    ) -> None:
        self._toolbox = toolbox
        self._metrics = metrics
        self._predecessor_of = predecessor_of
        self.images = ImagesGate(images_folder(toolbox.config))
        self._lock = threading.Lock()
        self._open: OrderedDict[str, Analysis] = OrderedDict()
        self._running: dict[str, tuple[str, float]] = {}
        self._turns: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    def run_step(self, job_id: str, step: str) -> None:
        """Run one step of one job.

        Raises
        ------
        ImagesUnreachable
            The images are away; the step may be run again.
        """
        # A job that was cancelled and retried may still be in the step it was cancelled in.
        with self._turns[job_id], structlog.contextvars.bound_contextvars(job=job_id, step=step):
            analysis = self._analysis(job_id)
            started = time.monotonic()
            self._running[job_id] = (step, started)
            try:
                analysis.run(step)
            except (UnreadableInput, SourceUnreadable, OSError) as error:
                self.images.judge(error, analysis.request.files)
                if isinstance(error, OSError):
                    raise
                self._answer(job_id, str(error), step)
            finally:
                self._running.pop(job_id, None)
            seconds = time.monotonic() - started
            self._metrics.step_seconds.labels(step).observe(seconds)
            log.debug("step done", extra={"seconds": round(seconds, 2)})

    def _answer(self, job_id: str, problem: str, step: str) -> None:
        """Say that the images cannot be read: at the node an answer, not an exit code.

        What was written of them before, and could not be verified any more, is replaced.
        """
        with self._lock:
            self._open.pop(job_id, None)
        analysis = self._analysis(job_id)
        analysis.workspace.put_reasons((Notice("unreadable_input", problem),))
        for again in STEPS[STEPS.index("write") : STEPS.index(step) + 1]:
            analysis.run(again)

    def stalled(self) -> str:
        """Which step hangs, or an empty text."""
        now = time.monotonic()
        for job_id, (step, started) in list(self._running.items()):
            if now - started > STALLED_SECONDS:
                return f"step {step} of job {job_id} runs for {now - started:.0f} s"
        return ""

    def finish(self, job_id: str) -> str:
        """Close a job; return ``analysed`` or ``not_analysable``."""
        workspace = Workspace(jobs_folder(self._toolbox.config) / job_id)
        findings = workspace.findings()
        with self._lock:
            self._open.pop(job_id, None)
        self._turns.pop(job_id, None)
        self._metrics.jobs_ended.labels(findings.status).inc()
        flagged = [v.level.name for v in findings.vertebrae if v.fractured]
        for vertebra in findings.vertebrae:
            grade = vertebra.genant.grade
            self._metrics.vertebrae.labels("not graded" if grade is None else str(grade)).inc()
        request = workspace.request()
        self._metrics.drift.observe(findings, read_facts(request.files[:1]).kernel)
        log.info(
            "job done",
            extra={
                "job": job_id,
                "study": request.StudyInstanceUID,
                "series": request.SeriesInstanceUID,
                "images": len(request.files),
                "queued": request.created,
                "outcome": findings.status,
                "vertebrae": len(findings.vertebrae),
                "flagged": flagged,
                "reasons": [reason.code for reason in findings.reasons],
                "warnings": [warning.code for warning in findings.warnings],
                "seconds": workspace.timings(),
            },
        )
        return findings.status

    def _analysis(self, job_id: str) -> Analysis:
        workers = self._toolbox.config.service.workers
        with self._lock:
            if job_id not in self._open:
                workspace = Workspace(jobs_folder(self._toolbox.config) / job_id)
                self._open[job_id] = Analysis(
                    workspace, self._toolbox, predecessor_of=self._predecessor_of
                )
            while len(self._open) > workers:
                self._open.popitem(last=False)
            return self._open[job_id]
