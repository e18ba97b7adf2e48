"""Steps of jobs wait while the disk is full, instead of failing.

Received images are refused long before (`node.min_free_gib`), but other programs fill disks too,
and a job that fails for want of room would need a person to start it again.
"""

from __future__ import annotations

import errno
import logging
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ParamSpec, TypeVar

from node import NodeError
from service.errors import ServiceError
from service.tenancy import NotOurs

log = logging.getLogger(__name__)
P = ParamSpec("P")
T = TypeVar("T")

RESERVE_BYTES = 16 * 2**20
"""Kept for the queue, which has to record the end of a step at once."""
LOOK_SECONDS = 1.0
_FULL = (errno.ENOSPC, errno.EDQUOT)


class DiskGate:
    """Lets steps run only while the disk has room, and runs again those that it stopped.

    Parameters
    ----------
    folder
        On the disk that jobs write to.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Let nothing wait any longer: what waits goes on after the next start."""
        self._stopping.set()

    def patient(self, step: Callable[P, T]) -> Callable[P, T]:
        """Return a step that waits for room; it has to bear being run again."""

        def run(*args: P.args, **kwargs: P.kwargs) -> T:
            while True:
                self._wait_for_room()
                try:
                    outcome = step(*args, **kwargs)
                except (OSError, sqlite3.Error, NodeError, ServiceError) as error:
                    if not _is_full(error):
                        raise
                    log.error("the disk is full: a step is run again when there is room")
                    self._pause()
                    continue
                self._wait_for_room()
                return outcome

        return run

    def problems(self) -> dict[str, str]:
        """Why steps wait now, by component; empty while they do not."""
        try:
            free = shutil.disk_usage(self._folder).free
        except OSError:  # a share that is away is not full (`service.images_gate`)
            return {}
        if free >= RESERVE_BYTES:
            return {}
        return {"disk": f"{free / 2**20:.0f} MiB free: analyses and deliveries wait for room"}

    def _wait_for_room(self) -> None:
        if not self.problems():
            return
        log.error("the disk is full: steps wait until there is room")
        while self.problems():
            self._pause()
        log.info("there is room on the disk again")

    def _pause(self) -> None:
        if self._stopping.wait(LOOK_SECONDS):
            raise NotOurs("stopping while the disk is full")


def _is_full(error: BaseException) -> bool:
    return any(
        getattr(each, "errno", None) in _FULL
        or (isinstance(each, sqlite3.Error) and "full" in str(each))
        for each in _chain(error)
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
