"""Changes to a host that know whether they are still needed, so that installing twice is safe."""

from __future__ import annotations

import os
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


class Change(Protocol):
    """One thing that an installation does."""

    def needed(self) -> bool:
        """Whether the host differs from what is wanted."""
        ...

    def make(self) -> None:
        """Do it."""
        ...

    def describe(self) -> str:
        """What is done, in one line."""
        ...


@dataclass(frozen=True)
class Ownership:
    """Mode, and owner and group where these are to be set (names of this host)."""

    mode: int
    owner: str | None = None
    group: str | None = None

    def holds(self, path: Path) -> bool:
        """Whether a path has it."""
        found = path.stat()
        if stat.S_IMODE(found.st_mode) != self.mode:
            return False
        if self.owner is None or self.group is None:
            return True
        try:
            return (path.owner(), path.group()) == (self.owner, self.group)
        except KeyError:  # an id that no account has
            return False

    def give(self, path: Path) -> None:
        """Set it."""
        if self.owner is not None and self.group is not None:
            shutil.chown(path, self.owner, self.group)
        path.chmod(self.mode)

    def __str__(self) -> str:
        """Mode and owner as `ls -l` users know them."""
        return f"{self.mode:04o}" + (f" {self.owner}:{self.group}" if self.owner else "")


@dataclass(frozen=True)
class Folder:
    """A folder that exists with this ownership."""

    path: Path
    ownership: Ownership

    def needed(self) -> bool:
        """Whether it is missing, or another's."""
        return not self.path.is_dir() or not self.ownership.holds(self.path)

    def make(self) -> None:
        """Make it."""
        self.path.mkdir(parents=True, exist_ok=True)
        self.ownership.give(self.path)

    def describe(self) -> str:
        """One line."""
        return f"folder {self.path} ({self.ownership})"


@dataclass(frozen=True)
class TextFile:
    """A file with this content."""

    path: Path
    text: str
    ownership: Ownership

    def needed(self) -> bool:
        """Whether it is missing, or differs."""
        return (
            not self.path.is_file()
            or self.path.read_text(encoding="utf-8") != self.text
            or not self.ownership.holds(self.path)
        )

    def make(self) -> None:
        """Write it whole or not at all, never readable to more people than it should be."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_name(self.path.name + ".new")
        temporary.unlink(missing_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(self.text)
        self.ownership.give(temporary)
        temporary.replace(self.path)

    def describe(self) -> str:
        """One line."""
        return f"file {self.path} ({self.ownership})"


@dataclass(frozen=True)
class OwnFile:
    """A file that belongs to the site: written once, never changed, only its ownership kept."""

    file: TextFile

    def needed(self) -> bool:
        """Whether it is missing, or another's."""
        path = self.file.path
        return not path.is_file() or not self.file.ownership.holds(path)

    def make(self) -> None:
        """Write it if there is none."""
        if self.file.path.is_file():
            self.file.ownership.give(self.file.path)
        else:
            self.file.make()

    def describe(self) -> str:
        """One line."""
        return self.file.describe()


@dataclass(frozen=True)
class Link:
    """A symbolic link to this target, as relative as the target is given."""

    path: Path
    target: str

    def needed(self) -> bool:
        """Whether it is missing, or points elsewhere."""
        return not self.path.is_symlink() or str(self.path.readlink()) != self.target

    def make(self) -> None:
        """Point it there in one step: there is no instant without a target."""
        temporary = self.path.with_name(self.path.name + ".new")
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(self.target)
        temporary.replace(self.path)

    def describe(self) -> str:
        """One line."""
        return f"link {self.path} -> {self.target}"


@dataclass(frozen=True)
class Removed:
    """A file or folder that is gone, with everything in it."""

    path: Path

    def needed(self) -> bool:
        """Whether it is still there."""
        return self.path.exists() or self.path.is_symlink()

    def make(self) -> None:
        """Remove it."""
        if self.path.is_dir() and not self.path.is_symlink():
            shutil.rmtree(self.path)
        else:
            self.path.unlink()

    def describe(self) -> str:
        """One line."""
        return f"remove {self.path}"
