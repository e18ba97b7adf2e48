"""What people do on the pages, as audit messages; the log keeps a line of each, too."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from service.audit import codes
from service.audit.message import Action, Result
from service.audit.recorder import Recorder
from service.dashboard.audit import LogAuditor
from service.request import read_request

_RESULT_OF_LOGIN = {
    "accepted": Result.SUCCESS,
    "logout": Result.SUCCESS,
    "refused": Result.MINOR_FAILURE,
    "delayed": Result.SERIOUS_FAILURE,
}


class PageAuditor(LogAuditor):
    """An `AccessAuditor` that records.

    Parameters
    ----------
    folder
        Where the workspaces of the jobs are.
    """

    def __init__(self, recorder: Recorder, folder: Path) -> None:
        self._recorder = recorder
        self._folder = folder

    def audit_access(self, user: str, job_id: str, what: str) -> None:
        """See `AccessAuditor`."""
        super().audit_access(user, job_id, what)
        self._accessed(user, job_id, Action.READ)

    def audit_action(self, user: str, job_id: str, what: str) -> None:
        """See `AccessAuditor`."""
        super().audit_action(user, job_id, what)
        self._accessed(user, job_id, Action.UPDATE)

    def audit_login(self, user: str, address: str, what: str) -> None:
        """See `AccessAuditor`."""
        super().audit_login(user, address, what)
        kind = codes.LOGOUT if what == "logout" else codes.LOGIN
        result = _RESULT_OF_LOGIN.get(what, Result.SERIOUS_FAILURE)
        self._recorder.authenticated(kind, user or "unknown", address, result)

    def audit_denied(self, user: str, path: str, why: str) -> None:
        """See `AccessAuditor`."""
        super().audit_denied(user, path, why)
        self._recorder.refused_user(user, path, why)

    def _accessed(self, user: str, job_id: str, action: Action) -> None:
        with suppress(OSError, ValueError):  # a job that is being deleted has no folder any more
            request = read_request(self._folder / job_id)
            self._recorder.accessed(
                user or "anybody on this host",
                action,
                request.StudyInstanceUID or "",
                request.files,
            )
