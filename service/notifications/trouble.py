"""Tells of trouble that lasts, of deliveries and jobs that were given up, and when it is over."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError

from node import NodeError
from service.config import Config
from service.errors import ServiceError
from service.notifications.announcement import (
    CLEARED,
    Announcement,
    trouble_announcement,
)
from service.notifications.channels import Channels
from service.notifications.errors import NotReached

log = logging.getLogger(__name__)

LOOK_SECONDS = 15.0
MOST_WAITING = 500
GIVE_UP_SECONDS = 24 * 3600.0
Problems = Callable[[], Mapping[str, str]]
GivenUp = Callable[[], Mapping[str, str] | None]
Count = Callable[[str, str], None]


@dataclass(frozen=True)
class _Waiting:
    channel: str
    announcement: Announcement
    since: float


class TroubleWatch:
    """Looks at what is wrong, and tells the announcers that want to know.

    Parameters
    ----------
    lasting
        What is wrong now, by component; told once it lasted `trouble_minutes`, and when it ended.
    final
        What was given up and stays so until somebody acts, by component; told at once. What is
        there at the first look is known already. None: nobody can know now.
    """

    def __init__(
        self, config: Config, channels: Channels, lasting: Problems, final: GivenUp, count: Count
    ) -> None:
        self._channels = channels
        self._lasting = lasting
        self._final = final
        self._count = count
        self._patience = 60 * config.service.notifications.trouble_minutes
        self._dashboard_url = config.service.notifications.dashboard_url
        self._since: dict[str, float] = {}
        self._told: set[str] = set()
        self._given_up: set[str] | None = None
        self._waiting: deque[_Waiting] = deque(maxlen=MOST_WAITING)
        self._run_id = uuid.uuid4().hex[:12]
        self._number = 0
        self._stopping = threading.Event()

    def start(self) -> None:
        """Look from now on, if anybody wants to be told."""
        if self._channels.about("trouble"):
            threading.Thread(target=self._run, name="trouble", daemon=True).start()

    def stop(self) -> None:
        """Look no more."""
        self._stopping.set()

    def look(self, now: float) -> None:
        """Compare with the last look; `now` is in seconds of a clock that only goes forward."""
        self._look_at_lasting(now)
        self._look_at_final(now)
        self._send(now)

    def _run(self) -> None:
        while not self._stopping.wait(LOOK_SECONDS):
            try:
                self.look(time.monotonic())
            except (OSError, SQLAlchemyError, sqlite3.Error, NodeError, ServiceError) as error:
                log.error("trouble cannot be seen", extra={"problem": type(error).__name__})

    def _look_at_lasting(self, now: float) -> None:
        problems = self._lasting()
        for component in [each for each in self._since if each not in problems]:
            del self._since[component]
            if component in self._told:
                self._told.remove(component)
                self._tell(component, "", CLEARED, now)
        for component, text in problems.items():
            since = self._since.setdefault(component, now)
            if component not in self._told and now - since >= self._patience:
                self._told.add(component)
                self._tell(component, text, "began", now)

    def _look_at_final(self, now: float) -> None:
        given_up = self._final()
        if given_up is None:
            return
        known = set(given_up) if self._given_up is None else self._given_up
        for component, text in given_up.items():
            if component not in known:
                self._tell(component, text, "began", now)
        self._given_up = set(given_up)

    def _tell(self, component: str, text: str, state: str, now: float) -> None:
        self._number += 1
        announcement = trouble_announcement(
            f"{self._run_id}-{self._number}", component, text, state, self._dashboard_url
        )
        for channel in self._channels.about("trouble"):
            self._waiting.append(_Waiting(channel, announcement, now))

    def _send(self, now: float) -> None:
        """Try everything that waits once; a channel that is down keeps its own back."""
        down: set[str] = set()
        for _ in range(len(self._waiting)):
            waiting = self._waiting.popleft()
            if waiting.channel in down:
                self._waiting.append(waiting)
                continue
            try:
                self._channels.announcers[waiting.channel].announce(waiting.announcement)
            except NotReached:
                down.add(waiting.channel)
                if now - waiting.since < GIVE_UP_SECONDS:
                    self._count(waiting.channel, "retried")
                    self._waiting.append(waiting)
                else:
                    self._refused(waiting.channel)
            except ServiceError:
                self._refused(waiting.channel)
            else:
                self._count(waiting.channel, "sent")

    def _refused(self, channel: str) -> None:
        self._count(channel, "refused")
        log.error("trouble could not be told", extra={"channel": channel})
