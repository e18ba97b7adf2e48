"""Retrying and cancelling: what can be done with a job in each of its states.

============== ==================================== ======================================
state          retry                                cancel
============== ==================================== ======================================
queued         refused: cancel it first             taken out of the queue
running        refused: cancel it first             stops when its present step ends
failed         runs again                           refused
cancelled      runs again                           refused
analysed       failed deliveries are sent again     deliveries not at their end are given up
left out       analysed in spite of the rules       refused
============== ==================================== ======================================
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dbos import DBOSClient, EnqueueOptions, WorkflowStatus

from service.errors import UsageError
from service.job_views import ACTIVE, JobView
from service.priority import ROUTINE_PRIORITY
from service.queue import (
    ANALYSIS_QUEUE,
    ANALYSIS_WORKFLOW,
    DELIVERY_QUEUE,
    DELIVERY_WORKFLOW,
    WORKFLOW_VERSION,
    delivery_id,
)
from service.refusals import Refusals
from service.request import REQUEST_FILE, read_request
from service.series_register import RegisteredSeries, SeriesRegister, SeriesState

_ENDED_BADLY = ("failed", "cancelled")


@dataclass(frozen=True)
class Steering:
    """Changes what the queue does.

    Attributes
    ----------
    folder
        Holds one workspace per job.
    """

    client: DBOSClient
    folder: Path

    def retry(
        self, view: JobView, runs: int, deliveries: Sequence[WorkflowStatus], memory: Refusals
    ) -> str:
        """Run a job again, or send again what did not arrive; say what was done.

        Raises
        ------
        UsageError
            If nothing about it has failed.
        """
        if view.state in _ENDED_BADLY:
            workflow_id = f"{view.id}.{runs + 1}"
            self._analyse(workflow_id)
            return f"job {view.id} queued again"
        failed = [d.destination for d in view.deliveries if d.state in _ENDED_BADLY]
        if not failed:
            hint = "; cancel it first" if view.state in ACTIVE.values() else ""
            raise UsageError(f"job {view.id} is {view.state}: nothing to retry{hint}")
        for destination in failed:
            memory.forget(destination)
            latest = max(_number(w) for w in deliveries if _destination(w) == destination)
            again = f"{view.id}.{latest + 1}"
            self._enqueue(
                DELIVERY_QUEUE,
                DELIVERY_WORKFLOW,
                delivery_id(again, destination),
                (again, destination),
            )
        return f"job {view.id}: delivery queued again to " + ", ".join(failed)

    def cancel(
        self, view: JobView, runs: Sequence[WorkflowStatus], deliveries: Sequence[WorkflowStatus]
    ) -> str:
        """Stop a job and its deliveries; say what was done.

        Raises
        ------
        UsageError
            If it has ended.
        """
        analyses = [w.workflow_id for w in runs if w.status in ACTIVE]
        sends = [w for w in deliveries if w.status in ACTIVE]
        if not analyses and not sends:
            raise UsageError(f"job {view.id} is {view.state}: nothing to cancel")
        for workflow_id in [*analyses, *(w.workflow_id for w in sends)]:
            self.client.cancel_workflow(workflow_id)
        if not analyses:
            names = ", ".join(sorted({_destination(w) for w in sends}))
            return f"job {view.id}: delivery cancelled to {names}; what had arrived stays there"
        if view.state == "running":
            return f"job {view.id} cancelled; it stops when its present step ({view.step}) ends"
        return f"job {view.id} cancelled"

    def analyse_left_out(self, entry: RegisteredSeries, register: SeriesRegister) -> str:
        """Analyse a series that was left out; say what was done.

        Raises
        ------
        UsageError
            If its images are not noted down (any more).
        """
        if not (self.folder / entry.job_id / REQUEST_FILE).is_file():
            raise UsageError(
                f"job {entry.job_id} was left out by rules.{entry.rule}: {entry.reason}; its "
                "images are not noted down here: spinenode analyze takes them from a folder"
            )
        register.enter(
            replace(entry, state=SeriesState.CHOSEN, rule="", reason="asked for by hand")
        )
        register.note_job(entry.SeriesInstanceUID, entry.job_id)
        self._analyse(entry.job_id)
        return f"job {entry.job_id} queued, although it was left out by rules.{entry.rule}"

    def _analyse(self, workflow_id: str) -> None:
        self._enqueue(ANALYSIS_QUEUE, ANALYSIS_WORKFLOW, workflow_id, (workflow_id,))

    def _enqueue(self, queue: str, workflow: str, workflow_id: str, args: tuple[str, ...]) -> None:
        options: EnqueueOptions = {
            "queue_name": queue,
            "workflow_name": workflow,
            "workflow_id": workflow_id,
            "app_version": WORKFLOW_VERSION,
        }
        if queue == ANALYSIS_QUEUE:
            options["priority"] = self._priority(workflow_id)
        self.client.enqueue(options, *args)

    def _priority(self, workflow_id: str) -> int:
        try:
            return read_request(self.folder / workflow_id.partition(".")[0]).priority
        except (OSError, ValueError):
            return ROUTINE_PRIORITY


def _number(workflow: WorkflowStatus) -> int:
    """Number of a delivery: a job that ran again begins with that of its run."""
    return int(workflow.workflow_id.partition("@")[0].partition(".")[2] or 1)


def _destination(workflow: WorkflowStatus) -> str:
    return workflow.workflow_id.partition("@")[2]
