"""Who is told: the audit trail, mail, webhooks, interface engine and FHIR server."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from urllib.parse import urlsplit

from node import NodeError, TlsSettings
from node.tls import client_context
from service.audit.syslog import SyslogSink
from service.config import Config
from service.destinations import tls_settings
from service.doctor.result import CheckResult, failed, passed
from service.errors import ServiceError
from service.notifications.mail import Mail

_PATIENCE_SECONDS = 10.0
_FIX = "check that the receiver runs, its host and port, the firewall between, ca and certificates"


def check_audit_file(config: Config) -> CheckResult:
    """Whether audit files can be written."""
    file = config.service.audit.file
    if file is None:
        where = config.service.audit.syslog.host
        return passed("audit", f"to {where} only" if where else "not configured")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        return _no_audit(f"{file.parent}: {error.strerror}")
    if not os.access(file.parent, os.W_OK):
        return _no_audit(f"{file.parent}: not writable")
    return passed("audit", f"a file per day beside {file}")


def _no_audit(found: str) -> CheckResult:
    return failed(
        "audit", found, "give the service's user write access, or set service.audit.file elsewhere"
    )


def examine_receivers(config: Config) -> list[CheckResult]:
    """Connect to everybody who is told something, and tell nothing."""
    told = config.service.notifications
    checks: list[tuple[str, Callable[[], None]]] = []
    syslog = config.service.audit.syslog
    if syslog.host:
        tls = TlsSettings(cert=syslog.tls.cert, key=syslog.tls.key, ca=syslog.tls.ca)
        checks.append(("audit syslog", SyslogSink(syslog.host, syslog.port, tls).check))
    if told.email.host:
        checks.append(("mail", Mail(told.email, config.node.ae_title).check))
    for webhook in told.webhooks:
        ca = TlsSettings(ca=webhook.ca)
        checks.append((f"webhook {webhook.name}", _opener(webhook.url, ca)))
    if told.hl7.host:
        address, tls_or_none = (told.hl7.host, told.hl7.port), tls_settings(told.hl7.tls)
        checks.append(("hl7", lambda: _open(address, tls_or_none)))
    if told.fhir.url:
        checks.append(("fhir", _opener(told.fhir.url, TlsSettings(ca=told.fhir.ca))))
    return [_reached(name, check) for name, check in checks]


def _reached(name: str, check: Callable[[], None]) -> CheckResult:
    try:
        check()
    except (OSError, NodeError, ServiceError) as error:
        return failed(name, f"cannot be reached: {error}", _FIX)
    return passed(name, "answers")


def _opener(url: str, tls: TlsSettings) -> Callable[[], None]:
    parts = urlsplit(url)
    secured = parts.scheme == "https"
    address = (parts.hostname or "", parts.port or (443 if secured else 80))
    return lambda: _open(address, tls if secured else None)


def _open(address: tuple[str, int], tls: TlsSettings | None) -> None:
    with socket.create_connection(address, _PATIENCE_SECONDS) as plain:
        if tls is not None:
            context = client_context(tls)
            context.wrap_socket(plain, server_hostname=address[0]).close()
