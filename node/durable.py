"""Directories whose entries survive a power cut."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

NAMES_FOLLOW_CONTENT: Final = frozenset(("ext4", "xfs"))
"""File systems whose fsync of a new file makes its directory entry durable too.

POSIX does not promise it. ext4 commits the journal transaction that created the inode, which holds
the entry as well, and without a journal writes the parent directory; XFS forces its log up to the
creation, one transaction with the entry.
"""


def make_directory(path: Path) -> None:
    """Create `path` below an existing or missing parent, each level durable."""
    if path.is_dir():
        return
    make_directory(path.parent)
    path.mkdir(exist_ok=True)
    sync_directory(path.parent)


def sync_directory(path: Path | str) -> None:
    """Make the entries of a directory durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def names_follow_content(folder: Path, mounts: Path = Path("/proc/self/mountinfo")) -> bool:
    """Return whether an fsync of a new file in `folder` is enough for its name, too."""
    device = folder.stat().st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    try:
        lines = mounts.read_text().splitlines()
    except OSError:
        return False
    kinds = {_kind(line) for line in lines if line.split()[2:3] == [number]}
    return bool(kinds) and kinds <= NAMES_FOLLOW_CONTENT


def _kind(line: str) -> str:
    """Return the file system type of a mount (proc(5)): the field behind the hyphen."""
    return line.partition(" - ")[2].split(" ")[0]
