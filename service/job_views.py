"""A job as people and programs see it, made from what the queue keeps."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from dbos import StepInfo, WorkflowStatus

from service.priority import ROUTINE_PRIORITY, priority_name
from service.queue import DELIVERED
from service.series_register import RegisteredSeries
from service.steps import STEPS

ACTIVE = {"ENQUEUED": "queued", "DELAYED": "queued", "PENDING": "running"}
ENDED = {
    "ERROR": "failed",
    "CANCELLED": "cancelled",
    "MAX_RECOVERY_ATTEMPTS_EXCEEDED": "failed",
}


@dataclass(frozen=True)
class StepView:
    """One finished step."""

    name: str
    started: str
    seconds: float


@dataclass(frozen=True)
class DeliveryView:
    """What became of the results at one destination; `note`: what went instead of what."""

    destination: str
    state: str
    attempts: int
    problem: str | None
    note: str | None = None


@dataclass(frozen=True)
class JobView:
    """One job as people see it; `state` is queued, running, analysed, not_analysable, ...

    The remaining states are ``failed``, ``cancelled`` and, for a series that never became a job,
    ``left_out``; `step` is what runs now.
    """

    id: str
    state: str
    step: str | None
    created: str
    updated: str
    instances: int | None
    SeriesInstanceUID: str | None
    steps: tuple[StepView, ...]
    deliveries: tuple[DeliveryView, ...]
    problem: str | None
    priority: str = priority_name(ROUTINE_PRIORITY)
    remarks: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def left_out_view(entry: RegisteredSeries) -> JobView:
    """A series that the rules left out, as the job that it might have been."""
    at = time_text(int(entry.updated_at * 1000))
    return JobView(
        id=entry.job_id,
        state="left_out",
        step=None,
        created=at,
        updated=at,
        instances=entry.facts.images,
        SeriesInstanceUID=entry.SeriesInstanceUID,
        steps=(),
        deliveries=(),
        problem=f"rules.{entry.rule}: {entry.reason}",
        priority=priority_name(entry.facts.priority),
    )


def state_of(workflow: WorkflowStatus) -> str:
    """State of an analysis."""
    if workflow.status == "SUCCESS":
        return str(workflow.output or "analysed")
    return ACTIVE.get(workflow.status) or ENDED.get(workflow.status, workflow.status.lower())


def current_step(steps: tuple[StepView, ...]) -> str:
    """Name of the step that runs now."""
    done = {step.name for step in steps}
    return next((name for name in STEPS if name not in done), "finish")


def problem_of(workflow: WorkflowStatus) -> str | None:
    """Why a workflow failed, in one line."""
    if workflow.status == "MAX_RECOVERY_ATTEMPTS_EXCEEDED":
        return "the service stopped during this job too many times"
    if workflow.error is None:
        return None
    return f"{type(workflow.error).__name__}: {workflow.error}"


def time_text(epoch_ms: int | None) -> str:
    """ISO 8601 in UTC of epoch milliseconds."""
    if epoch_ms is None:
        return ""
    return datetime.fromtimestamp(epoch_ms / 1000, UTC).isoformat(timespec="seconds")


def _seconds(started_ms: int | None, ended_ms: int | None) -> float:
    return 0.0 if started_ms is None or ended_ms is None else (ended_ms - started_ms) / 1000


def step_views(steps: list[StepInfo]) -> tuple[StepView, ...]:
    """The finished steps of an analysis, in order."""
    return tuple(
        StepView(
            step["function_name"],
            time_text(step["started_at_epoch_ms"]),
            _seconds(step["started_at_epoch_ms"], step["completed_at_epoch_ms"]),
        )
        for step in steps
        if step["function_name"] in STEPS
    )


def delivery_ended(workflow: WorkflowStatus) -> str | None:
    """How a delivery ended: delivered, superseded, failed or cancelled; None if it has not."""
    if workflow.status == "SUCCESS":
        return str(workflow.output or DELIVERED)
    return ENDED.get(workflow.status)


def delivery_view(name: str, workflow: WorkflowStatus, steps: list[StepInfo]) -> DeliveryView:
    """The latest delivery of a job to one destination."""
    sends = [step for step in steps if step["function_name"].startswith("send attempt")]
    ended = delivery_ended(workflow)
    waiting = "retrying" if sends else ACTIVE.get(workflow.status, workflow.status)
    last = sends[-1] if sends else None
    problem = str(last["error"] or last["output"] or "") if last else ""
    return DeliveryView(name, ended or waiting, len(sends), problem or None)
