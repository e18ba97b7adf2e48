"""A disk so small that a test can fill it: a tmpfs of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Self

import pytest

MIB = 2**20


class SmallDisk:
    """Mounted while the context lasts; needs the right to mount, or the test skips."""

    def __init__(self, folder: Path, size_mib: int) -> None:
        self.folder = folder
        self._size_mib = size_mib
        self._ballast = folder / "ballast"

    def __enter__(self) -> Self:
        if os.geteuid() != 0 or shutil.which("mount") is None:
            pytest.skip("mounting a small tmpfs needs root")
        self.folder.mkdir(parents=True)
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={self._size_mib}m", "tmpfs", self.folder],
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
        if mounted.returncode:
            pytest.skip(f"a small tmpfs cannot be mounted here: {mounted.stderr.strip()}")
        return self

    def __exit__(self, *_: object) -> None:
        # Lazily: a process that was just killed may hold a file for a moment.
        subprocess.run(["umount", "--lazy", self.folder], check=True, timeout=30)

    @property
    def free_bytes(self) -> int:
        return shutil.disk_usage(self.folder).free

    def leave(self, nr_bytes: int) -> None:
        """Fill up until so many bytes are free; 0 until nothing more can be written."""
        with self._ballast.open("ab", buffering=0) as ballast, suppress(OSError):
            while (more := self.free_bytes - nr_bytes) > 0 or not nr_bytes:
                ballast.write(bytes(min(max(more, 4096), MIB)))

    def relieve(self) -> None:
        """Take the ballast away."""
        self._ballast.unlink(missing_ok=True)
