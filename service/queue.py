"""The durable queue: two workflows on DBOS, each a list of steps that survive a kill.

`analyse_series` runs the steps of `service.pipeline` and then starts one `deliver_results` per
destination, so that an archive that is down never holds up the analysis of the next series.
Workflow ids derive from the input, so that submitting the same series twice changes nothing.
On PostgreSQL several processes share the queue: see `service.tenancy`.
"""

from __future__ import annotations

import logging
import re
import socket
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

from dbos import DBOS, DBOSConfig, SetEnqueueOptions, SetWorkflowID
from sqlalchemy import make_url

from service.adoption import adopt_jobs
from service.errors import RetryableError
from service.logs import adopt_logger
from service.priority import ROUTINE_PRIORITY, STAT_PRIORITY
from service.tenancy import LEASE_SECONDS, NotOurs, tenancy_of
from service.watched_queue import WatchedQueue

log = logging.getLogger(__name__)
P = ParamSpec("P")
T = TypeVar("T")

__all__ = ["ROUTINE_PRIORITY", "STAT_PRIORITY", "JobQueue", "Steps"]

ANALYSIS_WORKFLOW = "analyse_series"
DELIVERY_WORKFLOW = "deliver_results"
ANALYSIS_QUEUE = "analysis"
DELIVERY_QUEUE = "delivery"
WORKFLOW_VERSION = "2"
"""Changes whenever the order of steps does, of analyses (`service.steps`) or of deliveries (the
steps recorded here); `service.adoption` brings jobs over."""
MAX_RECOVERIES = 50
"""A job that takes its process down this often is set aside instead of being tried for ever."""
NEXT_ATTEMPT = "next attempt"
"""Step of a delivery whose output is when the next attempt is planned, in seconds of the epoch."""
DELIVERIES_OPEN = 2000
"""Deliveries waiting for their next attempt count too: an archive that is down for days must not
keep those to the others out."""
SENDING_TO_ONE_DESTINATION = 4
DELIVERED = "delivered"
SUPERSEDED = "superseded"
"""How a delivery ends that a later job of the same series has overtaken; nothing was sent."""


@dataclass(frozen=True)
class Steps:
    """What the workflows do, injected so that this module knows only order and durability.

    Attributes
    ----------
    analysis_steps
        Names, in order; each is run as ``run_step(job_id, name)``.
    run_step
        Runs one analysis step.
    finish
        ``finish(job_id)`` returns ``"analysed"`` or ``"not_analysable"``.
    destinations
        ``destinations(job_id)`` names where the results go.
    deliver
        ``deliver(job_id, destination)`` returns a comment when everything arrived, or
        `SUPERSEDED`; raises `RetryableError` when a later attempt may succeed.
    backoff_seconds
        Wait after the n-th failed attempt (n from 1), or None to give up.
    """

    analysis_steps: tuple[str, ...]
    run_step: Callable[[str, str], None]
    finish: Callable[[str], str]
    destinations: Callable[[str], list[str]]
    deliver: Callable[[str, str], str]
    backoff_seconds: Callable[[int], float | None]


class DeliveryGivenUp(RetryableError):
    """All attempts failed: a dead letter, retried on request."""


class JobQueue:
    """Start, feed and stop the queue of one process.

    Parameters
    ----------
    database_url
        ``sqlite:///...`` or ``postgresql://...``.
    executor
        Stable name of this process across restarts; its unfinished jobs are taken up again at
        start.
    workers
        Analyses at the same time in this process.
    lease_seconds
        On PostgreSQL: after so long without a sign of life, others take this process's jobs.
    """

    def __init__(
        self,
        database_url: str,
        steps: Steps,
        workers: int,
        executor: str = "",
        lease_seconds: float = LEASE_SECONDS,
    ) -> None:
        self.database_url = database_url
        self._steps = steps
        self._stopping = threading.Event()
        self._executor = executor = executor or socket.gethostname()
        self._tenancy = tenancy_of(database_url, executor, lease_seconds)
        config: DBOSConfig = {
            "name": "spinenode",
            "system_database_url": dbos_url(database_url),
            "application_version": WORKFLOW_VERSION,
            "executor_id": executor,
            "log_level": "WARNING",
            "run_admin_server": False,
            "enable_otlp": False,
            "notification_listener_polling_interval_sec": 0.2,
        }
        DBOS(config=config)
        adopt_logger("dbos")
        self._analysis = WatchedQueue(
            ANALYSIS_QUEUE,
            worker_concurrency=workers,
            priority_enabled=True,
            polling_interval_sec=0.2,
        )
        self._delivery = WatchedQueue(
            DELIVERY_QUEUE, worker_concurrency=DELIVERIES_OPEN, polling_interval_sec=0.2
        )
        self._senders: defaultdict[str, threading.Semaphore] = defaultdict(
            lambda: threading.Semaphore(SENDING_TO_ONE_DESTINATION)
        )
        self._register_workflows()

    def _register_workflows(self) -> None:
        """Register by name; plain functions, because DBOS cannot register bound methods."""

        @DBOS.workflow(name=ANALYSIS_WORKFLOW, max_recovery_attempts=MAX_RECOVERIES)
        def analyse(workflow_job_id: str) -> str:
            return self._analyse_series(workflow_job_id)

        @DBOS.workflow(name=DELIVERY_WORKFLOW, max_recovery_attempts=MAX_RECOVERIES)
        def deliver(workflow_job_id: str, destination: str) -> str:
            return self._deliver_results(workflow_job_id, destination)

        self._analyse = analyse
        self._deliver = deliver

    def start(self) -> None:
        """Take up unfinished jobs and begin to work."""
        self._tenancy.begin()
        try:
            adopt_jobs(dbos_url(self.database_url), WORKFLOW_VERSION, self._executor)
            DBOS.launch()
        except BaseException:
            self._tenancy.end()
            raise
        self._tenancy.take_part()

    def stop(self, timeout_seconds: int = 10) -> None:
        """Begin no further step; wait that long for running ones. The rest resumes at start."""
        self._stopping.set()
        self._tenancy.drain(timeout_seconds)
        DBOS.destroy(destroy_registry=True)
        self._tenancy.end()

    def stalled(self) -> str:
        """Why no work is taken from the queue any more, or an empty text."""
        return self._analysis.stalled() or self._delivery.stalled()

    def submit(self, job_id: str, priority: int = ROUTINE_PRIORITY) -> None:
        """Put a job in the queue; a job id that was ever submitted is left as it is."""
        with SetWorkflowID(job_id), SetEnqueueOptions(priority=priority):
            self._analysis.enqueue(self._analyse, job_id)

    def withdraw(self, job_id: str) -> bool:
        """Take back a job that no worker has taken yet; whether it was so.

        As if it had never been submitted: it may be submitted again.
        """
        waiting = DBOS.list_workflows(
            name=ANALYSIS_WORKFLOW, workflow_id_prefix=job_id, status=["ENQUEUED", "DELAYED"]
        )
        ids = [w.workflow_id for w in waiting if base_job_id(w.workflow_id) == job_id]
        for workflow_id in ids:
            DBOS.cancel_workflow(workflow_id)
            DBOS.delete_workflow(workflow_id)
        return bool(ids)

    def _analyse_series(self, workflow_job_id: str) -> str:
        job_id = base_job_id(workflow_job_id)
        for step in self._steps.analysis_steps:
            DBOS.run_step({"name": step}, self._guarded(self._steps.run_step), job_id, step)
        outcome: str = DBOS.run_step({"name": "finish"}, self._guarded(self._steps.finish), job_id)
        names: list[str] = DBOS.run_step(
            {"name": "destinations"}, self._guarded(self._steps.destinations), job_id
        )
        for name in names:
            with SetWorkflowID(delivery_id(workflow_job_id, name)):
                self._delivery.enqueue(self._deliver, workflow_job_id, name)
        return outcome

    def _deliver_results(self, workflow_job_id: str, destination: str) -> str:
        job_id = base_job_id(workflow_job_id)
        attempt = 0
        while True:
            attempt += 1
            problem: str = DBOS.run_step(
                {"name": f"send attempt {attempt}"},
                self._guarded(self._try_deliver),
                job_id,
                destination,
            )
            if not problem:
                return DELIVERED
            if problem == SUPERSEDED:
                return SUPERSEDED
            wait = self._steps.backoff_seconds(attempt)
            if wait is None:
                raise DeliveryGivenUp(f"{destination}: {problem}")
            self._wait_for_next_attempt(wait)

    def _wait_for_next_attempt(self, seconds: float) -> None:
        """Wait, also across a restart, and never longer than that: clocks are set back at times."""
        planned: float = DBOS.run_step({"name": NEXT_ATTEMPT}, lambda: time.time() + seconds)
        if self._stopping.wait(min(seconds, planned - time.time())):
            raise NotOurs(DBOS.workflow_id)

    def _guarded(self, step: Callable[P, T]) -> Callable[P, T]:
        """Let a step run only while the job is surely this process's."""
        workflow_id = DBOS.workflow_id or ""

        def run(*args: P.args, **kwargs: P.kwargs) -> T:
            with self._tenancy.working_on(workflow_id):
                return step(*args, **kwargs)

        return run

    def _try_deliver(self, job_id: str, destination: str) -> str:
        """The problem, `SUPERSEDED`, or an empty text when everything arrived."""
        try:
            with self._senders[destination]:
                outcome = self._steps.deliver(job_id, destination)
        except RetryableError as error:
            log.warning("delivery not complete", extra={"job": job_id, "to": destination})
            return str(error) or type(error).__name__
        return SUPERSEDED if outcome == SUPERSEDED else ""


def dbos_url(database_url: str) -> str:
    """Database URL in the spelling SQLAlchemy needs for the installed PostgreSQL driver."""
    if database_url.startswith("postgresql://"):
        return database_url.replace("postgresql://", "postgresql+psycopg://", 1)
    return database_url


def shown_url(database_url: str) -> str:
    """Database URL without its password."""
    return make_url(database_url).render_as_string(hide_password=True)


def base_job_id(workflow_id: str) -> str:
    """Job of a workflow id: retries append ``.2``, deliveries ``@destination``."""
    return re.split(r"[.@]", workflow_id, maxsplit=1)[0]


def delivery_id(workflow_job_id: str, destination: str) -> str:
    """Workflow id of one delivery."""
    return f"{workflow_job_id}@{destination}"
