"""Looking at the queue, and steering it, from any process that can reach the database."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType

from dbos import DBOSClient, EnqueueOptions, WorkflowStatus, run_dbos_database_migrations
from sqlalchemy.exc import SQLAlchemyError

from service.errors import ServiceError, UsageError
from service.job_views import (
    ACTIVE,
    JobView,
    current_step,
    delivery_view,
    problem_of,
    state_of,
    step_views,
    time_text,
)
from service.priority import ROUTINE_PRIORITY
from service.queue import (
    ANALYSIS_QUEUE,
    ANALYSIS_WORKFLOW,
    DELIVERY_QUEUE,
    DELIVERY_WORKFLOW,
    WORKFLOW_VERSION,
    base_job_id,
    dbos_url,
    delivery_id,
)
from service.request import read_request


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
        self._client.destroy()

    def recent(self, limit: int = 200) -> list[JobView]:
        """Newest job first."""
        workflows = self._client.list_workflows(name=ANALYSIS_WORKFLOW, sort_desc=True, limit=limit)
        latest: dict[str, WorkflowStatus] = {}
        for workflow in workflows:
            latest.setdefault(base_job_id(workflow.workflow_id), workflow)
        deliveries = self._deliveries()
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

    def counts(self) -> dict[str, int]:
        """Number of jobs by state."""
        counts: dict[str, int] = {}
        for workflow in self._client.list_workflows(
            name=ANALYSIS_WORKFLOW, load_input=False, load_output=True
        ):
            state = state_of(workflow)
            counts[state] = counts.get(state, 0) + 1
        return counts

    def get(self, job_id: str) -> JobView:
        """One job.

        Raises
        ------
        UsageError
            If there is no job of that id.
        """
        attempts = self._attempts(job_id)
        if not attempts:
            raise UsageError(f"no job {job_id!r} (see 'spinenode jobs list')")
        return self._view(base_job_id(job_id), attempts[-1], self._deliveries().get(job_id, []))

    def retry(self, job_id: str) -> str:
        """Start a failed or cancelled job, or its failed deliveries, again; say what was done.

        Raises
        ------
        UsageError
            If there is no such job, or nothing about it has failed.
        """
        view = self.get(job_id)
        attempts = self._attempts(job_id)
        if view.state in ("failed", "cancelled"):
            workflow_id = f"{job_id}.{len(attempts) + 1}"
            self._enqueue(ANALYSIS_QUEUE, ANALYSIS_WORKFLOW, workflow_id, (workflow_id,))
            return f"job {job_id} queued again"
        failed = [d for d in view.deliveries if d.state in ("failed", "cancelled")]
        if not failed:
            raise UsageError(f"job {job_id} is {view.state}: nothing to retry")
        for delivery in failed:
            again = f"{job_id}.{len(self._delivery_attempts(job_id, delivery.destination)) + 1}"
            self._enqueue(
                DELIVERY_QUEUE,
                DELIVERY_WORKFLOW,
                delivery_id(again, delivery.destination),
                (again, delivery.destination),
            )
        return f"job {job_id}: delivery queued again to " + ", ".join(
            delivery.destination for delivery in failed
        )

    def cancel(self, job_id: str) -> str:
        """Cancel a queued or running job and its deliveries; say what was done.

        Raises
        ------
        UsageError
            If there is no such job, or it has ended.
        """
        view = self.get(job_id)
        targets = [w.workflow_id for w in self._attempts(job_id) if w.status in ACTIVE]
        targets += [
            w.workflow_id
            for delivery in view.deliveries
            for w in self._delivery_attempts(job_id, delivery.destination)
            if w.status in ACTIVE
        ]
        if not targets:
            raise UsageError(f"job {job_id} is {view.state}: nothing to cancel")
        for target in targets:
            self._client.cancel_workflow(target)
        return f"job {job_id} cancelled"

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
        deliveries = self._deliveries()
        forgotten: list[str] = []
        for view in self.recent(limit=100_000):
            rows = [*self._attempts(view.id), *deliveries.get(view.id, [])]
            if any(w.status in ACTIVE or (w.updated_at or 0) > cutoff_ms for w in rows):
                continue
            self._client.delete_workflows([w.workflow_id for w in rows])
            forgotten.append(view.id)
        return forgotten

    def _enqueue(self, queue: str, workflow: str, workflow_id: str, args: tuple[str, ...]) -> None:
        options: EnqueueOptions = {
            "queue_name": queue,
            "workflow_name": workflow,
            "workflow_id": workflow_id,
            "app_version": WORKFLOW_VERSION,
        }
        if queue == ANALYSIS_QUEUE:
            options["priority"] = ROUTINE_PRIORITY
        self._client.enqueue(options, *args)

    def _attempts(self, job_id: str) -> list[WorkflowStatus]:
        found = self._client.list_workflows(
            name=ANALYSIS_WORKFLOW, workflow_id_prefix=base_job_id(job_id)
        )
        exact = [w for w in found if base_job_id(w.workflow_id) == base_job_id(job_id)]
        return sorted(exact, key=lambda w: w.created_at or 0)

    def _delivery_attempts(self, job_id: str, destination: str) -> list[WorkflowStatus]:
        return [
            w
            for w in self._deliveries().get(job_id, [])
            if w.workflow_id.partition("@")[2] == destination
        ]

    def _deliveries(self) -> dict[str, list[WorkflowStatus]]:
        """Deliveries of every job, oldest first."""
        by_job: dict[str, list[WorkflowStatus]] = {}
        for workflow in self._client.list_workflows(name=DELIVERY_WORKFLOW):
            by_job.setdefault(base_job_id(workflow.workflow_id), []).append(workflow)
        return by_job

    def _view(
        self, job_id: str, workflow: WorkflowStatus, deliveries: list[WorkflowStatus]
    ) -> JobView:
        steps = step_views(self._client.list_workflow_steps(workflow.workflow_id))
        state = state_of(workflow)
        instances, series_uid = self._request_facts(job_id)
        latest = {w.workflow_id.partition("@")[2]: w for w in deliveries}
        return JobView(
            id=job_id,
            state=state,
            step=current_step(steps) if state == "running" else None,
            created=time_text(workflow.created_at),
            updated=time_text(workflow.updated_at),
            instances=instances,
            SeriesInstanceUID=series_uid,
            steps=steps,
            deliveries=tuple(
                delivery_view(name, w, self._client.list_workflow_steps(w.workflow_id))
                for name, w in latest.items()
            ),
            problem=problem_of(workflow),
        )

    def _request_facts(self, job_id: str) -> tuple[int | None, str | None]:
        folder = self._folder / job_id
        with suppress(ValueError, OSError):
            request = read_request(folder)
            return len(request.files), request.SeriesInstanceUID
        return None, None
