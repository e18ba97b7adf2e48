"""What the pages show, asked at each request."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from node import DeliveryState, NodeStatus
from service.config import Config
from service.dashboard.audit import AccessAuditor, LogAuditor
from service.dashboard.board import Board
from service.dashboard.reachability import Reachability
from service.dashboard.records import Records
from service.dashboard.sent_objects import StateOf
from service.dashboard.workers import SignOfLife
from service.jobs import Jobs
from service.layout import jobs_folder
from service.series_register import RegisteredSeries


def _not_known(destination: str, sop_instance_uid: str) -> DeliveryState | None:
    del destination, sop_instance_uid
    return None


@dataclass(frozen=True)
class DashboardSources:
    """Where the pages get what they show.

    Attributes
    ----------
    config
        The configuration in force; it may change while the service runs.
    problems
        What is wrong now, by component; empty when the service is ready.
    notices
        What somebody should look at although the service can do its part: archives that take
        nothing.
    exposition
        Prometheus text.
    node_status
        How the listener stands.
    left_out
        Series that nobody analyses, the latest first.
    waiting
        Series that wait for the other series of their study.
    workers
        The processes that take jobs.
    object_state
        Where one object stands at an archive.
    """

    config: Callable[[], Config]
    jobs: Jobs
    board: Board
    problems: Callable[[], dict[str, str]]
    exposition: Callable[[], bytes]
    node_status: Callable[[], NodeStatus]
    left_out: Callable[[], Sequence[RegisteredSeries]]
    waiting: Callable[[], Sequence[RegisteredSeries]]
    workers: Callable[[], Sequence[SignOfLife]]
    notices: Callable[[], dict[str, str]] = dict
    object_state: StateOf = _not_known
    auditor: AccessAuditor = field(default_factory=LogAuditor)
    reachability: Reachability = field(default_factory=Reachability)

    @cached_property
    def records(self) -> Records:
        """The folders of the jobs."""
        return Records(jobs_folder(self.config()))
