"""Versions of the program side by side: the one that runs, and the one before it.

``<prefix>/releases/<name>/venv`` holds one version each; ``<prefix>/current`` and
``<prefix>/previous`` are links to two of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from service.errors import UsageError
from service.install.changes import Change, Link
from service.install.place import Place

_FOLDER = "releases"
_CURRENT, _PREVIOUS = "current", "previous"


@dataclass(frozen=True)
class Releases:
    """The versions that lie below the prefix."""

    place: Place

    def holding(self, environment: Path) -> str | None:
        """Name of the release whose virtual environment this is, if it is one."""
        for folder in self.prefix.glob(f"{_FOLDER}/*"):
            if (folder / "venv").resolve() == environment.resolve():
                return folder.name
        return None

    @property
    def current(self) -> str | None:
        """The release that runs, or None before the first installation."""
        return self._linked(_CURRENT)

    @property
    def previous(self) -> str | None:
        """The release that ran before the current one."""
        return self._linked(_PREVIOUS)

    def make_current(self, name: str) -> list[Change]:
        """Run `name` from now on, and remember what ran before."""
        before = self.current
        changes: list[Change] = []
        if before is not None and before != name:
            changes.append(Link(self.prefix / _PREVIOUS, f"{_FOLDER}/{before}"))
        return [*changes, Link(self.prefix / _CURRENT, f"{_FOLDER}/{name}")]

    def program_before(self) -> Path:
        """The command of the previous release.

        Raises
        ------
        UsageError
            If there is none to go back to.
        """
        name = self.previous
        if name is None:
            raise UsageError(f"{self.prefix / _PREVIOUS} names no release to go back to")
        program = self.prefix / _FOLDER / name / "venv/bin/spinenode"
        if not program.exists():
            raise UsageError(f"{program} is gone: that release cannot be gone back to")
        return program

    @property
    def prefix(self) -> Path:
        """The prefix as it is found from here."""
        return self.place.at(self.place.prefix)

    def _linked(self, link: str) -> str | None:
        path = self.prefix / link
        return path.readlink().name if path.is_symlink() else None
