"""The durable queue: two workflows on DBOS, each a list of steps that survive a kill.

`analyse_series` runs the steps of `service.pipeline` and then starts one `deliver_results` per
destination, so that an archive that is down never holds up the analysis of the next series.
Workflow ids derive from the input, so that submitting the same series twice changes nothing.
"""

from __future__ import annotations

import logging
import re
import socket
from collections.abc import Callable
from dataclasses import dataclass

from dbos import DBOS, DBOSConfig, Queue, SetEnqueueOptions, SetWorkflowID
from sqlalchemy import make_url

from service.errors import RetryableError

log = logging.getLogger(__name__)

ANALYSIS_WORKFLOW = "analyse_series"
DELIVERY_WORKFLOW = "deliver_results"
ANALYSIS_QUEUE = "analysis"
DELIVERY_QUEUE = "delivery"
WORKFLOW_VERSION = "1"
"""Changes only when the order of steps does; jobs of another version wait for their program."""
MAX_RECOVERIES = 25
"""A job that takes its process down this often is set aside instead of being tried for ever."""
ROUTINE_PRIORITY = 10
STAT_PRIORITY = 1


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
        ``deliver(job_id, destination)`` returns a comment when everything arrived; raises
        `RetryableError` when a later attempt may succeed.
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
    """

    def __init__(self, database_url: str, steps: Steps, workers: int, executor: str = "") -> None:
        self.database_url = database_url
        self._steps = steps
        config: DBOSConfig = {
            "name": "spinenode",
            "system_database_url": dbos_url(database_url),
            "application_version": WORKFLOW_VERSION,
            "executor_id": executor or socket.gethostname(),
            "log_level": "WARNING",
            "run_admin_server": False,
            "enable_otlp": False,
            "notification_listener_polling_interval_sec": 0.2,
        }
        logging.getLogger("dbos").setLevel(logging.WARNING)
        DBOS(config=config)
        self._analysis = Queue(
            ANALYSIS_QUEUE,
            worker_concurrency=workers,
            priority_enabled=True,
            polling_interval_sec=0.2,
        )
        self._delivery = Queue(DELIVERY_QUEUE, worker_concurrency=16, polling_interval_sec=0.2)
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
        DBOS.launch()

    def stop(self, timeout_seconds: int = 10) -> None:
        """Stop taking jobs; wait that long for running ones, which otherwise resume at start."""
        DBOS.destroy(workflow_completion_timeout_sec=timeout_seconds, destroy_registry=True)

    def submit(self, job_id: str, priority: int = ROUTINE_PRIORITY) -> None:
        """Put a job in the queue; a job id that was ever submitted is left as it is."""
        with SetWorkflowID(job_id), SetEnqueueOptions(priority=priority):
            self._analysis.enqueue(self._analyse, job_id)

    def _analyse_series(self, workflow_job_id: str) -> str:
        job_id = base_job_id(workflow_job_id)
        for step in self._steps.analysis_steps:
            DBOS.run_step({"name": step}, self._steps.run_step, job_id, step)
        outcome: str = DBOS.run_step({"name": "finish"}, self._steps.finish, job_id)
        names: list[str] = DBOS.run_step({"name": "destinations"}, self._steps.destinations, job_id)
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
                {"name": f"send attempt {attempt}"}, self._try_deliver, job_id, destination
            )
            if not problem:
                return "delivered"
            wait = self._steps.backoff_seconds(attempt)
            if wait is None:
                raise DeliveryGivenUp(f"{destination}: {problem}")
            DBOS.sleep(wait)

    def _try_deliver(self, job_id: str, destination: str) -> str:
        try:
            self._steps.deliver(job_id, destination)
        except RetryableError as error:
            log.warning("delivery not complete", extra={"job": job_id, "to": destination})
            return str(error) or type(error).__name__
        return ""


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
