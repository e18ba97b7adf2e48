"""Exit codes: 0 done, 1 unexpected, 2 usage or configuration, 3 not analysable, 4 unreadable."""

from __future__ import annotations

from service.errors import ServiceError

DONE = 0
UNEXPECTED = 1
USAGE = 2
NOT_ANALYSABLE = 3
UNREADABLE = 4

_BY_NAME = {
    "NotAnalysable": NOT_ANALYSABLE,
    "UnreadableInput": UNREADABLE,
    "ModelUnavailable": USAGE,
    "CohortInputError": USAGE,
    "InvalidPhantom": USAGE,
    "SettingsError": USAGE,
    "SettingsInvalid": USAGE,
}
"""Errors of the other packages by class name, so that `--help` need not import torch."""


def describe(error: BaseException) -> tuple[str, int]:
    """One line for stderr and the exit code of an error."""
    text = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, ServiceError):
        return text, error.exit_code
    for kind in type(error).__mro__:
        if kind.__name__ in _BY_NAME:
            return text, _BY_NAME[kind.__name__]
    if isinstance(error, FileNotFoundError):
        return f"no such file or folder: {error.filename}", USAGE
    return f"unexpected {type(error).__name__}: {text} (--debug shows where)", UNEXPECTED
