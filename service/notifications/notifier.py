"""Notifications of results on the queue's own road: retried, given up and retried on request.

To the queue each channel is one more destination, called ``notify:CHANNEL``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import structlog

from service.config import Config
from service.errors import ServiceError
from service.layout import jobs_folder
from service.notifications.announcement import fracture_announcement
from service.notifications.channels import Channels
from service.notifications.errors import NotReached, NotTaken
from service.predecessor import successor_with_results
from service.queue import SUPERSEDED
from service.subject import read_subject
from service.workspace import Workspace
from sr_writer import Findings

log = logging.getLogger(__name__)

PREFIX = "notify:"
Count = Callable[[str, str], None]
"""Told the channel and ``sent``, ``retried`` or ``refused``."""


class Deliveries(Protocol):
    """Where results go and how they get there, as the queue asks for it."""

    def destinations(self, job_id: str) -> list[str]:
        """Names of the destinations of a job."""

    def deliver(self, job_id: str, name: str) -> str:
        """Deliver to one of them."""


class Notifier:
    """Adds the channels to the destinations of a job.

    Parameters
    ----------
    archives
        The destinations that receive DICOM objects.
    """

    def __init__(self, config: Config, archives: Deliveries, count: Count) -> None:
        self.channels = Channels(config)
        self._archives = archives
        self._count = count
        self._folder: Path = jobs_folder(config)
        self._dashboard_url = config.service.notifications.dashboard_url

    def destinations(self, job_id: str) -> list[str]:
        """Archives first, then who is told; nobody is told of results that are withheld."""
        workspace = Workspace(self._folder / job_id)
        told: list[str] = []
        if not workspace.withheld():
            told = self.channels.for_findings(workspace.findings())
        return self._archives.destinations(job_id) + [PREFIX + name for name in told]

    def deliver(self, job_id: str, name: str) -> str:
        """Tell a channel, or send to an archive; nobody is told what a later job knows better.

        Raises
        ------
        NotReached
            A later attempt may succeed.
        NotTaken
            The receiver refuses, or the channel is configured no more.
        """
        with structlog.contextvars.bound_contextvars(job=job_id, destination=name):
            outcome = self._deliver(job_id, name)
            log.info("delivery done", extra={"outcome": outcome})
        return outcome

    def _deliver(self, job_id: str, name: str) -> str:
        if not name.startswith(PREFIX):
            return self._archives.deliver(job_id, name)
        if successor_with_results(self._folder, job_id):
            return SUPERSEDED
        channel = name.removeprefix(PREFIX)
        try:
            self._tell(channel, job_id)
        except ServiceError as error:
            self._count(channel, "retried" if isinstance(error, NotReached) else "refused")
            raise
        self._count(channel, "sent")
        return "told"

    def _tell(self, channel: str, job_id: str) -> None:
        workspace = Workspace(self._folder / job_id)
        findings: Findings = workspace.findings()
        if channel in self.channels.announcers:
            announcement = fracture_announcement(job_id, findings, self._dashboard_url)
            self.channels.announcers[channel].announce(announcement)
        elif channel in self.channels.reporters:
            subject = read_subject(workspace.request().files)
            self.channels.reporters[channel].report(job_id, findings, subject)
        else:
            raise NotTaken(f"service.notifications has no {channel} any more")
