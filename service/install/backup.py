"""The queue's and the ledgers' SQLite files, copied before another version opens them."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from service.install.changes import Folder, Ownership, Removed

KEPT = 5
"""Copies that are kept; older ones are removed."""
_DATABASES = ("*.sqlite", "*.sqlite-wal", "*/*.sqlite", "*/*.sqlite-wal")


@dataclass(frozen=True)
class DatabaseCopy:
    """A copy of all databases below the spool, made while nothing has them open.

    Files are copied, not read through SQLite: opening them as root would leave files behind that
    the service's user cannot write.
    """

    spool: Path
    backups: Path
    name: str
    ownership: Ownership

    def needed(self) -> bool:
        """Whether there is anything to copy."""
        return bool(self._databases())

    def make(self) -> None:
        """Copy, and let go of the oldest copies."""
        Folder(self.backups, self.ownership).make()
        target = self.backups / self.name
        Folder(target, self.ownership).make()
        for file in self._databases():
            copy = target / file.relative_to(self.spool)
            if copy.parent != target:
                Folder(copy.parent, self.ownership).make()
            shutil.copy2(file, copy)
            Ownership(0o640, self.ownership.owner, self.ownership.group).give(copy)
        for old in sorted(self.backups.iterdir())[:-KEPT]:
            Removed(old).make()

    def describe(self) -> str:
        """One line."""
        return f"copy of the databases {self.backups / self.name}"

    def _databases(self) -> list[Path]:
        return [file for pattern in _DATABASES for file in sorted(self.spool.glob(pattern))]
