"""Who looked at whom: the events of the pages that an auditor asks for.

`service.audit` may turn them into messages of DICOM PS3.15 A.5; the log has them in any case.
"""

from __future__ import annotations

import logging
from typing import Protocol

log = logging.getLogger(__name__)


class AccessAuditor(Protocol):
    """Called in a worker thread after the decision, before the answer; must not raise."""

    def audit_access(self, user: str, job_id: str, what: str) -> None:
        """A user was shown something that identifies a patient; `what` is ``identifiers``, ..."""

    def audit_action(self, user: str, job_id: str, what: str) -> None:
        """A user changed the course of a job; `what` is ``retry`` or ``cancel``."""

    def audit_login(self, user: str, address: str, what: str) -> None:
        """Somebody tried to log in; `what` is ``accepted``, ``refused``, ``delayed``, ``logout``.

        `user` is empty for a name that is not configured: it may be a mistyped password.
        """

    def audit_denied(self, user: str, path: str, why: str) -> None:
        """A request was turned down: role, forged form, other origin."""


class LogAuditor:
    """Writes each event to the log."""

    def audit_access(self, user: str, job_id: str, what: str) -> None:
        """See `AccessAuditor`."""
        log.info("audit: access", extra={"user": user, "job": job_id, "what": what})

    def audit_action(self, user: str, job_id: str, what: str) -> None:
        """See `AccessAuditor`."""
        log.info("audit: action", extra={"user": user, "job": job_id, "what": what})

    def audit_login(self, user: str, address: str, what: str) -> None:
        """See `AccessAuditor`."""
        level = logging.INFO if what in ("accepted", "logout") else logging.WARNING
        log.log(level, "audit: login", extra={"user": user, "address": address, "what": what})

    def audit_denied(self, user: str, path: str, why: str) -> None:
        """See `AccessAuditor`."""
        log.warning("audit: denied", extra={"user": user, "path": path, "why": why})
