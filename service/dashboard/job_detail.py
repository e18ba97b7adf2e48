"""One job from its beginning to its deliveries, with times; read by the job's id alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from dbos import StepInfo, WorkflowStatus

from service.dashboard.board import Board, delivery_state
from service.job_views import ACTIVE, problem_of, state_of
from service.queue import (
    ANALYSIS_WORKFLOW,
    DELIVERY_WORKFLOW,
    NEXT_ATTEMPT,
    STAT_PRIORITY,
    base_job_id,
)
from service.steps import STEPS

WAITING = "waiting"
_SEND = "send attempt"


@dataclass(frozen=True)
class Span:
    """One stretch of the timeline; `ended_ms` is None while it lasts."""

    name: str
    started_ms: int
    ended_ms: int | None


@dataclass(frozen=True)
class DeliveryDetail:
    """The latest delivery to one destination.

    Attributes
    ----------
    problem
        Of the last attempt that failed.
    next_try_ms
        When it is tried again, while it waits for that.
    """

    destination: str
    state: str
    attempts: int
    problem: str
    queued_ms: int
    ended_ms: int | None
    next_try_ms: int | None


@dataclass(frozen=True)
class JobDetail:
    """Everything the queue knows of a job; times in epoch milliseconds."""

    id: str
    state: str
    stat: bool
    runs: int
    created_ms: int
    ended_ms: int | None
    worker: str | None
    problem: str | None
    spans: tuple[Span, ...]
    deliveries: tuple[DeliveryDetail, ...]

    @property
    def steps_done(self) -> int:
        """Number of analysis steps that ended."""
        return sum(1 for span in self.spans if span.name in STEPS and span.ended_ms is not None)

    @property
    def can_retry(self) -> bool:
        """Whether `spinenode jobs retry` would do something."""
        return self.state in ("failed", "cancelled") or any(
            delivery.state in ("failed", "cancelled") for delivery in self.deliveries
        )

    @property
    def can_cancel(self) -> bool:
        """Whether `spinenode jobs cancel` would do something."""
        return self.state in ("queued", "running") or any(
            delivery.state in ("queued", "sending", "retrying") for delivery in self.deliveries
        )

    @property
    def settled(self) -> bool:
        """Whether nothing will change by itself any more."""
        return not self.can_cancel


def read_job(board: Board, job_id: str) -> JobDetail | None:
    """Read one job; None if the queue has none of that id."""
    related = [
        workflow
        for workflow in board.client.list_workflows(workflow_id_prefix=job_id, load_input=False)
        if base_job_id(workflow.workflow_id) == job_id
    ]
    runs = [workflow for workflow in related if workflow.name == ANALYSIS_WORKFLOW]
    if not runs:
        return None
    latest = runs[-1]
    sends = {
        workflow.workflow_id.partition("@")[2]: workflow
        for workflow in related
        if workflow.name == DELIVERY_WORKFLOW
    }
    state = state_of(latest)
    steps = board.client.list_workflow_steps(latest.workflow_id, load_output=False)
    return JobDetail(
        id=job_id,
        state=state,
        stat=latest.priority == STAT_PRIORITY,
        runs=len(runs),
        created_ms=runs[0].created_at or 0,
        ended_ms=None if latest.status in ACTIVE else latest.completed_at or latest.updated_at,
        worker=latest.executor_id if state != "queued" else None,
        problem=problem_of(latest),
        spans=tuple(_spans(latest, steps)),
        deliveries=tuple(_delivery(board, name, sends[name]) for name in sorted(sends)),
    )


def steps_done(board: Board, workflow_id: str) -> tuple[str, ...]:
    """Names of the analysis steps that ended."""
    steps = board.client.list_workflow_steps(workflow_id, load_output=False)
    return tuple(s["function_name"] for s in steps if s["function_name"] in STEPS)


def _spans(run: WorkflowStatus, steps: list[StepInfo]) -> Iterable[Span]:
    """Waiting in the queue, each step that ended, and the one that lasts."""
    created = run.created_at or 0
    taken = run.dequeued_at if run.status != "ENQUEUED" else None
    yield Span(WAITING, created, taken or (None if run.status in ACTIVE else run.completed_at))
    if taken is None:
        return
    last_ms, done = taken, set()
    for step in steps:
        name, started = step["function_name"], step["started_at_epoch_ms"]
        ended = step["completed_at_epoch_ms"]
        if name in STEPS and started is not None:
            yield Span(name, started, ended)
            done.add(name)
            last_ms = ended or started
    if run.status == "PENDING":
        lasting = next((name for name in STEPS if name not in done), "finish")
        yield Span(lasting, last_ms, None)


def _delivery(board: Board, name: str, workflow: WorkflowStatus) -> DeliveryDetail:
    steps = board.client.list_workflow_steps(workflow.workflow_id)
    attempts = [step for step in steps if step["function_name"].startswith(_SEND)]
    failed = [step for step in attempts if step["error"] or step["output"]]
    problem = str(failed[-1]["error"] or failed[-1]["output"]) if failed else ""
    state = delivery_state(workflow)
    lasts = workflow.status in ACTIVE
    return DeliveryDetail(
        destination=name,
        state="retrying" if lasts and failed else state,
        attempts=len(attempts),
        problem=problem or (problem_of(workflow) or ""),
        queued_ms=workflow.created_at or 0,
        ended_ms=None if lasts else workflow.completed_at or workflow.updated_at,
        next_try_ms=_wakes_ms(steps) if lasts else None,
    )


def _wakes_ms(steps: list[StepInfo]) -> int | None:
    """When the attempt after the last one is planned."""
    if not steps or steps[-1]["function_name"] != NEXT_ATTEMPT:
        return None
    wakes = steps[-1]["output"]
    return int(wakes * 1000) if isinstance(wakes, (int, float)) else None
