"""Write files so that they survive a power cut: temp file, fsync, rename, directory fsync."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path


def write_temporary(temporary: Path, parts: Iterable[bytes | memoryview]) -> None:
    """Write `parts` to a new file and make its content durable.

    Raises
    ------
    OSError
        Nothing is left behind.
    """
    try:
        with temporary.open("xb", buffering=0) as file:
            for part in parts:
                _write_all(file.fileno(), memoryview(part))
            os.fsync(file.fileno())
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def publish(temporary: Path, path: Path) -> None:
    """Move a durable temporary file to its name, and make the name durable.

    Raises
    ------
    OSError
        Nothing is left behind at `temporary`, and nothing partial at `path`.
    """
    try:
        temporary.replace(path)
        sync_directory(path.parent)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def _write_all(file_descriptor: int, part: memoryview) -> None:
    # One write(2) transfers at most 2 GiB, and less on a full disk.
    while part:
        part = part[os.write(file_descriptor, part) :]


def make_directory(path: Path) -> None:
    """Create `path` below an existing or missing parent, each level durable."""
    if path.is_dir():
        return
    make_directory(path.parent)
    path.mkdir(exist_ok=True)
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Make the entries of a directory durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
