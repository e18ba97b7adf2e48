"""``service.audit:``: where audit messages (DICOM PS3.15 A.5) go."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from service.config.section import Section


class SyslogTlsConfig(Section):
    """TLS towards the audit repository; there is no way to send without it."""

    cert: Path | None = None
    key: Path | None = None
    ca: Path | None = None

    @model_validator(mode="after")
    def _complete(self) -> SyslogTlsConfig:
        if self.cert is not None and self.key is None:
            raise ValueError("tls.cert is given without tls.key")
        return self


class SyslogConfig(Section):
    """An audit repository that takes syslog over TLS (RFC 5425)."""

    host: str = ""
    port: Annotated[int, Field(ge=1, le=65535)] = 6514
    tls: SyslogTlsConfig = SyslogTlsConfig()


class AuditConfig(Section):
    """Audit messages; without a file and a syslog host none are written."""

    file: Path | None = None
    keep_days: Annotated[int, Field(ge=0)] = 0
    syslog: SyslogConfig = SyslogConfig()
    site: str = ""
    patient_identifiers: bool = False
