"""``service.notifications:``: who is told of flagged fractures and of trouble."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from service.config.section import Section, TlsConfig

Subject = Literal["fracture", "trouble"]
SUBJECTS: tuple[Subject, ...] = ("fracture", "trouble")
Occasion = Literal["fracture", "always"]
TcpPort = Annotated[int, Field(ge=1, le=65535)]


class EmailConfig(Section):
    """Mail without patient identifiers; needs `host`, `sender` and `recipients`."""

    host: str = ""
    port: TcpPort = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    ca: Path | None = None
    user: str = ""
    password: str = ""
    sender: str = ""
    recipients: tuple[str, ...] = ()
    about: tuple[Subject, ...] = SUBJECTS

    @model_validator(mode="after")
    def _complete(self) -> EmailConfig:
        if self.host and not (self.sender and self.recipients):
            raise ValueError("notifications.email: sender and recipients are needed")
        if self.user and self.security == "none":
            raise ValueError("notifications.email: a password is not sent with security: none")
        return self


class WebhookConfig(Section):
    """JSON without patient identifiers, signed with `secret`."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,32}$")]
    url: Annotated[str, Field(pattern=r"^https?://")]
    secret: Annotated[str, Field(min_length=16)]
    ca: Path | None = None
    about: tuple[Subject, ...] = SUBJECTS


class Hl7Config(Section):
    """HL7 v2.5.1 ORU^R01 over MLLP; carries what the receiver needs to file the result."""

    host: str = ""
    port: TcpPort = 2575
    tls: TlsConfig = TlsConfig()
    receiving_application: str = ""
    receiving_facility: str = ""
    when: Occasion = "fracture"


class FhirConfig(Section):
    """FHIR R4 DiagnosticReport; carries what the receiver needs to file the result."""

    url: Annotated[str, Field(pattern=r"^(https?://.*)?$")] = ""
    authorization: str = ""
    ca: Path | None = None
    patient_system: str = ""
    accession_system: str = ""
    when: Occasion = "fracture"


class NotificationsConfig(Section):
    """Who is told, and how."""

    dashboard_url: Annotated[str, Field(pattern=r"^(https?://.*)?$")] = ""
    trouble_minutes: Annotated[float, Field(ge=0, le=1440)] = 5.0
    email: EmailConfig = EmailConfig()
    webhooks: tuple[WebhookConfig, ...] = ()
    hl7: Hl7Config = Hl7Config()
    fhir: FhirConfig = FhirConfig()

    @model_validator(mode="after")
    def _distinct_names(self) -> NotificationsConfig:
        names = [webhook.name for webhook in self.webhooks]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"notifications.webhooks: the name {name!r} is used twice")
        return self
