"""The configured ways to tell somebody, and what each is told about a finished job."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from service.config import Config
from service.config.notifications import Occasion, Subject
from service.notifications.announcement import Announcement
from service.notifications.fhir import FhirServer
from service.notifications.mail import Mail
from service.notifications.mllp import Hl7Receiver
from service.notifications.webhook import Webhook
from service.subject import Subject as Patient
from sr_writer import Findings


class Announcer(Protocol):
    """Tells people; knows no patient identifiers."""

    def announce(self, announcement: Announcement) -> None:
        """Tell once; raises `NotReached` or `NotTaken`."""


class Reporter(Protocol):
    """Files a result in another system, under the patient's identifiers."""

    def report(self, job_id: str, findings: Findings, subject: Patient) -> None:
        """File once; raises `NotReached` or `NotTaken`."""


class Channels:
    """Every configured channel by its name; none are configured by default."""

    def __init__(self, config: Config) -> None:
        section, node = config.service.notifications, config.node.ae_title
        self.announcers: dict[str, Announcer] = {}
        self.reporters: dict[str, Reporter] = {}
        self._about: dict[str, tuple[Subject, ...]] = {}
        self._when: dict[str, Occasion] = {}
        if section.email.host:
            self.announcers["email"] = Mail(section.email, node)
            self._about["email"] = section.email.about
        for webhook in section.webhooks:
            name = f"webhook-{webhook.name}"
            self.announcers[name] = Webhook(webhook, node)
            self._about[name] = webhook.about
        if section.hl7.host:
            self.reporters["hl7"] = Hl7Receiver(section.hl7, node)
            self._when["hl7"] = section.hl7.when
        if section.fhir.url:
            self.reporters["fhir"] = FhirServer(section.fhir)
            self._when["fhir"] = section.fhir.when

    def about(self, subject: Subject) -> list[str]:
        """Announcers that want to be told of a subject."""
        return [name for name, wanted in self._about.items() if subject in wanted]

    def for_findings(self, findings: Findings) -> list[str]:
        """Channels that are told of this result."""
        flagged = any(vertebra.fractured for vertebra in findings.vertebrae)
        always: Callable[[str], bool] = lambda name: self._when[name] == "always"  # noqa: E731
        reporters = [name for name in self.reporters if flagged or always(name)]
        return (self.about("fracture") if flagged else []) + reporters
