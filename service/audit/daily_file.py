"""Audit messages in a file per day (UTC), one XML document per line."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from service.audit.sink import SinkUnavailable

_OWNER_AND_GROUP = 0o640


def _today() -> date:
    return datetime.now(UTC).date()


class DailyFileSink:
    """Appends to ``NAME-2026-11-21.SUFFIX`` beside the configured path.

    Parameters
    ----------
    keep_days
        Files older than so many days are deleted; 0 keeps all.
    """

    name = "file"

    def __init__(self, path: Path, keep_days: int = 0, today: Callable[[], date] = _today) -> None:
        self._path = path
        self._keep_days = keep_days
        self._today = today
        self._day: date | None = None
        self._descriptor = -1

    def path_of(self, day: date) -> Path:
        """The file of one day."""
        return self._path.with_name(f"{self._path.stem}-{day.isoformat()}{self._path.suffix}")

    def write(self, xml: bytes) -> None:
        """Append one message; it is on the disk when this returns.

        Raises
        ------
        SinkUnavailable
            The file cannot be written now.
        """
        try:
            self._turn_to(self._today())
            os.write(self._descriptor, xml + b"\n")
            os.fdatasync(self._descriptor)
        except OSError as error:
            self.close()
            raise SinkUnavailable(f"{self._path}: {error.strerror}") from error

    def close(self) -> None:
        """Close the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor, self._day = -1, None

    def _turn_to(self, day: date) -> None:
        if day == self._day:
            return
        self.close()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        self._descriptor = os.open(self.path_of(day), flags, _OWNER_AND_GROUP)
        self._day = day
        self._prune(day)

    def _prune(self, today: date) -> None:
        if not self._keep_days:
            return
        oldest = self.path_of(today - timedelta(days=self._keep_days)).name
        pattern = self.path_of(today).name.replace(today.isoformat(), "????-??-??")
        for path in self._path.parent.glob(pattern):
            if path.name < oldest:
                path.unlink(missing_ok=True)
