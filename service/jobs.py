"""Looking at the queue, and steering it, from any process that can reach the database."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from types import TracebackType

from dbos import DBOSClient, WorkflowStatus, run_dbos_database_migrations
from sqlalchemy.exc import SQLAlchemyError

from service.errors import ServiceError, UsageError
from service.job_views import (
    ACTIVE,
    JobView,
    current_step,
    delivery_view,
    left_out_view,
    problem_of,
    state_of,
    step_views,
    time_text,
)
from service.layout import ledger_beside
from service.notes import delivery_note_file, read_note, remarks
from service.priority import ROUTINE_PRIORITY, priority_name
from service.queue import ANALYSIS_WORKFLOW, DELIVERY_WORKFLOW, base_job_id, dbos_url
from service.refusals import Refusals
from service.request import Request, read_request
from service.series_register import RegisteredSeries, SeriesRegister, register_location
from service.steering import Steering


class Jobs:
    """The queue, seen from outside.

    Parameters
    ----------
    database_url
        As in the configuration.
    folder
        Where the workspaces of the jobs are.
    """

    def __init__(self, database_url: str, folder: Path) -> None:
        self._folder = folder
        self._database_url = database_url
        try:
            if database_url.startswith("sqlite:///"):
                file = Path(database_url.removeprefix("sqlite:///"))
                file.parent.mkdir(parents=True, exist_ok=True)
            self._client = DBOSClient(
                system_database_url=dbos_url(database_url), retry_connection_errors=False
            )
            self._client.check_connection()
        except (SQLAlchemyError, OSError) as error:
            raise ServiceError(f"database: cannot be reached: {type(error).__name__}") from error
        # A queue that nobody started yet has no tables and, so, no jobs.
        run_dbos_database_migrations(dbos_url(database_url))
        self._steering = Steering(self._client, folder)

    def __enter__(self) -> Jobs:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release the database."""
        if "_register" in self.__dict__:
            self._register.close()
        self._client.destroy()

    def recent(self, limit: int = 200) -> list[JobView]:
        """Newest job first."""
        workflows = self._client.list_workflows(name=ANALYSIS_WORKFLOW, sort_desc=True, limit=limit)
        latest: dict[str, WorkflowStatus] = {}
        for workflow in workflows:
            latest.setdefault(base_job_id(workflow.workflow_id), workflow)
        deliveries = self._deliveries([*latest])
        return [
            self._view(job_id, workflow, deliveries.get(job_id, []))
            for job_id, workflow in latest.items()
        ]

    def ask(self) -> None:
        """Read as little as possible, to see whether the database answers.

        Raises
        ------
        sqlalchemy.exc.SQLAlchemyError
            If it does not.
        """
        self._client.list_workflows(limit=1, load_input=False, load_output=False)

    def ids(self) -> frozenset[str]:
        """Every job that the queue knows."""
        workflows = self._client.list_workflows(
            name=ANALYSIS_WORKFLOW, load_input=False, load_output=False
        )
        return frozenset(base_job_id(workflow.workflow_id) for workflow in workflows)

    def counts(self) -> dict[str, int]:
        """Number of jobs by state; a job that ran again is in the state of its last run."""
        workflows = self._client.list_workflows(
            name=ANALYSIS_WORKFLOW, load_input=False, load_output=True
        )
        states = {base_job_id(workflow.workflow_id): state_of(workflow) for workflow in workflows}
        return Counter(states.values())

    def get(self, job_id: str) -> JobView:
        """One job.

        Raises
        ------
        UsageError
            If there is no job of that id.
        """
        job_id = base_job_id(job_id)
        attempts = self._attempts(job_id)
        if not attempts:
            return left_out_view(self._require_left_out(job_id))
        return self._view(job_id, attempts[-1], self._deliveries([job_id]).get(job_id, []))

    def retry(self, job_id: str) -> str:
        """Start again what failed or was cancelled or left out; say what was done.

        Raises
        ------
        UsageError
            If there is no such job, or nothing to do about it.
        """
        job_id = base_job_id(job_id)
        runs = self._attempts(job_id)
        if not runs:
            return self._steering.analyse_left_out(self._require_left_out(job_id), self._register)
        memory = Refusals(ledger_beside(self._database_url, self._folder))
        try:
            deliveries = self._deliveries([job_id]).get(job_id, [])
            return self._steering.retry(self.get(job_id), len(runs), deliveries, memory)
        finally:
            memory.close()

    def cancel(self, job_id: str) -> str:
        """Cancel a queued or running job and its deliveries; say what was done.

        Raises
        ------
        UsageError
            If there is no such job, or it has ended.
        """
        job_id = base_job_id(job_id)
        view = self.get(job_id)
        deliveries = self._deliveries([job_id]).get(job_id, [])
        return self._steering.cancel(view, self._attempts(job_id), deliveries)

    def left_out(self) -> list[JobView]:
        """Series that nobody analyses, the latest first."""
        return [left_out_view(entry) for entry in self._register.left_out()]

    def waiting(self) -> int:
        """Number of complete series that wait for the rest of their study; no job yet."""
        return len(self._register.waiting())

    def _require_left_out(self, job_id: str) -> RegisteredSeries:
        for entry in self._register.left_out():
            if entry.job_id == job_id:
                return entry
        raise UsageError(f"no job {job_id!r} (see 'spinenode jobs list')")

    @cached_property
    def _register(self) -> SeriesRegister:
        return SeriesRegister(register_location(self._database_url))

    def oldest_unfinished(self) -> datetime | None:
        """When the oldest job or delivery that has not ended was created."""
        times = [
            workflow.created_at
            for name in (ANALYSIS_WORKFLOW, DELIVERY_WORKFLOW)
            for workflow in self._client.list_workflows(name=name, status=list(ACTIVE))
            if workflow.created_at is not None
        ]
        return datetime.fromtimestamp(min(times) / 1000, UTC) if times else None

    def forget_ended(self, older_than: timedelta) -> list[str]:
        """Delete the rows of jobs that ended, with all deliveries, that long ago; return them."""
        cutoff_ms = (datetime.now(UTC) - older_than).timestamp() * 1000
        deliveries = self._deliveries(None)
        forgotten: list[str] = []
        for view in self.recent(limit=100_000):
            rows = [*self._attempts(view.id), *deliveries.get(view.id, [])]
            if any(w.status in ACTIVE or (w.updated_at or 0) > cutoff_ms for w in rows):
                continue
            self._client.delete_workflows([w.workflow_id for w in rows])
            forgotten.append(view.id)
        return forgotten

    def _attempts(self, job_id: str) -> list[WorkflowStatus]:
        found = self._client.list_workflows(
            name=ANALYSIS_WORKFLOW, workflow_id_prefix=base_job_id(job_id)
        )
        exact = [w for w in found if base_job_id(w.workflow_id) == base_job_id(job_id)]
        return sorted(exact, key=lambda w: w.created_at or 0)

    def _deliveries(self, job_ids: list[str] | None) -> dict[str, list[WorkflowStatus]]:
        """Deliveries of these jobs, or of all, oldest first."""
        if job_ids == []:
            return {}
        by_job: dict[str, list[WorkflowStatus]] = {}
        workflows = self._client.list_workflows(name=DELIVERY_WORKFLOW, workflow_id_prefix=job_ids)
        for workflow in workflows:
            by_job.setdefault(base_job_id(workflow.workflow_id), []).append(workflow)
        return by_job

    def _view(
        self, job_id: str, workflow: WorkflowStatus, deliveries: list[WorkflowStatus]
    ) -> JobView:
        steps = step_views(self._client.list_workflow_steps(workflow.workflow_id))
        state = state_of(workflow)
        request = self._request(job_id)
        latest = {w.workflow_id.partition("@")[2]: w for w in deliveries}
        return JobView(
            id=job_id,
            state=state,
            step=current_step(steps) if state == "running" else None,
            created=time_text(workflow.created_at),
            updated=time_text(workflow.updated_at),
            instances=len(request.files) if request else None,
            SeriesInstanceUID=request.SeriesInstanceUID if request else None,
            priority=priority_name(workflow.priority or ROUTINE_PRIORITY),
            remarks=remarks(self._folder / job_id, request) if request else (),
            steps=steps,
            deliveries=tuple(
                replace(
                    delivery_view(name, w, self._client.list_workflow_steps(w.workflow_id)),
                    note=read_note(self._folder / job_id, delivery_note_file(name)) or None,
                )
                for name, w in latest.items()
            ),
            problem=problem_of(workflow),
        )

    def _request(self, job_id: str) -> Request | None:
        with suppress(ValueError, OSError):
            return read_request(self._folder / job_id)
        return None
