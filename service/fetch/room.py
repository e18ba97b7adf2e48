"""A backfill must not crowd out the patients of today: neither the node's queue nor its disk."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable

from service.config import Config
from service.fetch.watch import Watch

QUEUE_POLL_SECONDS = 5.0
RESERVE = 2.0
"""Times `node.min_free_gib`: free disk that a fetch leaves alone."""


class NodeRoom:
    """Waits while many series wait in the node; says so when its disk is nearly full.

    Parameters
    ----------
    queued
        How many jobs wait in the node's queue now.
    most_waiting
        No more is fetched while so many wait; 0: no such limit.
    """

    def __init__(
        self,
        config: Config,
        queued: Callable[[], int],
        most_waiting: int,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._folder = config.node.spool
        self._reserve_bytes = int(RESERVE * config.node.min_free_gib * 2**30)
        self._queued = queued
        self._most_waiting = most_waiting
        self._sleep = sleep
        self._allowed = 0

    def __call__(self, watch: Watch) -> str:
        """See `service.fetch.transfer.Road.make_room`."""
        if shutil.disk_usage(self._folder).free < self._reserve_bytes:
            return (
                f"less than {self._reserve_bytes / 2**30:.1f} GiB are free under node.spool; "
                "what the node receives today comes first"
            )
        if self._most_waiting:
            self._wait_for_queue(watch)
        return ""

    def _wait_for_queue(self, watch: Watch) -> None:
        """The queue is asked again only when what it allowed is used up."""
        while not self._allowed:
            waiting = self._queued()
            self._allowed = max(0, self._most_waiting - waiting)
            if not self._allowed:
                watch.doing(f"{waiting} series wait in the node")
                self._sleep(QUEUE_POLL_SECONDS)
        self._allowed -= 1
