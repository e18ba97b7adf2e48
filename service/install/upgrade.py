"""One release takes over from another, on a host where systemd runs, or below a staged root."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from service.errors import UsageError
from service.install.backup import DatabaseCopy
from service.install.changes import Change
from service.install.installation import Installation
from service.install.manager import stopped, systemctl, systemd_runs
from service.install.place import BACKUPS
from service.install.releases import Releases

Make = Callable[[Sequence[Change]], bool]
"""Makes changes, and says whether any was needed."""


@dataclass(frozen=True)
class Upgrade:
    """Install, update, or go back: they differ only in which release becomes the current one.

    Attributes
    ----------
    environment
        Virtual environment of the program that runs this.
    """

    installation: Installation
    environment: Path

    @property
    def release(self) -> str | None:
        """Name of the release that runs this."""
        return self._releases.holding(self.environment)

    def require_release(self) -> None:
        """Refuse where the units would start another program than this one.

        Raises
        ------
        UsageError
            If this program is no release below the prefix.
        """
        if self.release is None:
            raise UsageError(
                f"this program lies in {self.environment}, not in a folder "
                f"{self._releases.prefix}/releases/NAME/venv; install.sh of the wheelhouse puts it "
                "there (docs/installation.md)"
            )

    def takes_over(self) -> bool:
        """Whether another release is the current one."""
        return self._releases.current not in (None, self.release)

    def changes(self) -> list[Change]:
        """Everything to do, in order; the configuration is read before anything is changed."""
        changes = self.installation.install()
        if self.release is None:
            return changes
        if self.takes_over():
            changes.insert(0, self._copy())
        return [*changes, *self._releases.make_current(self.release)]

    def carry_out(self, make: Make) -> None:
        """Make the changes; a running service is stopped only where another release takes over."""
        changes = self.changes()
        with self._quiet():
            changed = make(changes)
        if changed and systemd_runs() and not self.installation.place.staged:
            systemctl("daemon-reload")

    @contextmanager
    def _quiet(self) -> Iterator[None]:
        if self.takes_over() and systemd_runs() and not self.installation.place.staged:
            with stopped():
                yield
        else:
            yield

    def _copy(self) -> DatabaseCopy:
        place = self.installation.place
        moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        return DatabaseCopy(
            spool=place.at(self.installation.spool()),
            backups=place.at(BACKUPS),
            name=f"{moment}-{self._releases.current}",
            ownership=self.installation.owned_by_service(0o750),
        )

    @property
    def _releases(self) -> Releases:
        return Releases(self.installation.place)
