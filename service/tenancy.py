"""Whose jobs are whose, where several processes share a queue.

On SQLite the queue belongs to one process, and nothing has to be said. On PostgreSQL each process
holds a lease on its name (`service.lease`), takes the jobs of those whose lease ran out, and stops
at once when its own ran out while it was working.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Protocol

from dbos import DBOS

from service.lease import Lease

log = logging.getLogger(__name__)

LEASE_SECONDS = 60.0
CUT_OFF = os.EX_TEMPFAIL
"""Exit code of a process that stopped because others may be doing its work; start it again."""
_WAIT_SECONDS = 0.2
_LOOK_SECONDS = 10.0
"""A stop waits so long at most for a look for others that is in progress."""


class Tenancy(Protocol):
    """What the queue asks before and while it works."""

    def begin(self) -> None:
        """Before the queue starts: wait until our name is free, and keep it."""

    def take_part(self) -> None:
        """After the queue started: look after the others."""

    def drain(self, seconds: float) -> bool:
        """Begin no further step; wait so long for those that run. Whether they ended."""

    def end(self) -> None:
        """After the queue stopped."""

    def working_on(self, workflow_id: str) -> AbstractContextManager[None]:
        """Around each step."""


def tenancy_of(database_url: str, executor: str, lease_seconds: float) -> Tenancy:
    """The tenancy that the kind of database needs."""
    if database_url.startswith("postgresql"):
        return SharedQueue(database_url, executor, lease_seconds)
    return OwnQueue()


class NotOurs(BaseException):
    """This process may not go on with a job: it is stopping, or another has taken the job.

    No `Exception`, so that the queue does not record it as the outcome of a job that goes on
    elsewhere or later.
    """


class OwnQueue:
    """One process has the queue to itself; counts the steps that run."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._running = 0
        self._stopping = False

    def begin(self) -> None:
        """Nothing to wait for."""

    def take_part(self) -> None:
        """Nobody else takes part."""

    def drain(self, seconds: float) -> bool:
        """Begin no further step; wait so long for those that run. Whether they ended."""
        with self._changed:
            self._stopping = True
            return self._changed.wait_for(lambda: not self._running, timeout=seconds)

    def end(self) -> None:
        """Nothing to give back."""

    @contextmanager
    def working_on(self, workflow_id: str) -> Iterator[None]:
        """Count a step; none begins while stopping."""
        self._enter(workflow_id)
        try:
            yield
        finally:
            self._leave()

    def _enter(self, workflow_id: str) -> None:
        with self._changed:
            if self._stopping:
                raise NotOurs(workflow_id)
            self._running += 1

    def _leave(self) -> None:
        with self._changed:
            self._running -= 1
            self._changed.notify_all()


class SharedQueue(OwnQueue):
    """Several processes, each with a name of its own."""

    def __init__(self, database_url: str, executor: str, lease_seconds: float) -> None:
        super().__init__()
        self._executor = executor
        self._lease = Lease(database_url, executor, lease_seconds)
        self._ever_lost = False
        self._takes_part = False
        self._looking = threading.Lock()

    def begin(self) -> None:
        """Wait until our name is free, and keep it: starting the queue may outlast the lease."""
        self._lease.acquire()
        self._lease.keep(self._look_after_others, self._lost)

    def take_part(self) -> None:
        """Take the jobs of processes that are gone from now on."""
        self._takes_part = True

    def drain(self, seconds: float) -> bool:
        """Begin no further step and no look for others; wait for both. Whether the steps ended."""
        self._takes_part = False
        drained = super().drain(seconds)
        # A look uses the queue's library, which is taken down next; one that hangs in the network
        # may not keep the process from stopping.
        if self._looking.acquire(timeout=_LOOK_SECONDS):
            self._looking.release()
        return drained

    def end(self) -> None:
        """Give the name back, unless a step is still running: then the lease has to run out."""
        if super().drain(0.0):
            self._lease.release()

    @contextmanager
    def working_on(self, workflow_id: str) -> Iterator[None]:
        """Work only while nobody can have taken the job."""
        while not self._lease.trusted() and not self._stopping:
            time.sleep(_WAIT_SECONDS)
        with super().working_on(workflow_id):
            if self._ever_lost and not self._is_ours(workflow_id):
                log.warning("a job of ours was taken over meanwhile", extra={"job": workflow_id})
                raise NotOurs(workflow_id)
            yield
            if not self._lease.trusted():
                self._lost()

    def _is_ours(self, workflow_id: str) -> bool:
        status = DBOS.get_workflow_status(workflow_id)
        return status is not None and status.executor_id == self._executor

    def _lost(self) -> None:
        """Stop before another process begins what we are still doing."""
        self._ever_lost = True
        if not self._running:
            return
        log.critical(
            "cut off from the database: stopping, so that no job runs twice",
            extra={"worker": self._executor, "steps": self._running},
        )
        logging.shutdown()
        os._exit(CUT_OFF)

    def _look_after_others(self) -> None:
        with self._looking:
            if not self._takes_part:
                return
            try:
                self._take_over_the_gone()
            except Exception as error:  # noqa: BLE001 - whatever it is, our lease must be renewed
                log.error(
                    "cannot look for jobs left behind", extra={"problem": type(error).__name__}
                )

    def _take_over_the_gone(self) -> None:
        pending = DBOS.list_workflows(status="PENDING", load_input=False, load_output=False)
        gone = {w.executor_id for w in pending if w.executor_id} - self._lease.alive()
        for name in sorted(gone):
            if self._lease.take_over(name, partial(_queue_again, name)):
                log.warning(
                    "took over the jobs of a worker that is gone",
                    extra={"worker": name, "jobs": sum(w.executor_id == name for w in pending)},
                )


def _queue_again(executor: str) -> None:
    # Not public, and the only call that also counts towards MAX_RECOVERIES: `resume_workflow`
    # would let a job that takes its worker down wander from worker to worker for ever.
    DBOS._recover_pending_workflows([executor])
