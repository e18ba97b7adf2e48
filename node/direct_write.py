"""Writing past the page cache: the disk takes the bytes from where they were received.

A copy into the cache costs more CPU than all else that a received image needs, the hash aside, and
pushes out what others use.
"""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import threading
from typing import Final

ALIGNMENT: Final = 4096
"""Bytes; what every file system takes for address, length and place of a direct write."""
WORTHWHILE_BYTES: Final = 65_536
SPARE_MEMORIES: Final = 16


def write_all(descriptor: int, content: memoryview) -> None:
    """Write `content` behind what a file holds, whole blocks of it past the page cache.

    Parameters
    ----------
    content
        Begins at a multiple of `ALIGNMENT`, in memory and in the file; otherwise, and where the
        file system cannot do it, everything goes through the page cache.

    Raises
    ------
    OSError
        The disk is full or failing.
    """
    blocks = len(content) // ALIGNMENT * ALIGNMENT
    if blocks >= WORTHWHILE_BYTES:
        content = content[_write_directly(descriptor, content[:blocks]) :]
    # One write(2) transfers less than asked for on a full disk.
    while content:
        content = content[os.write(descriptor, content) :]


def _write_directly(descriptor: int, blocks: memoryview) -> int:
    """Return how many bytes were written; the rest has to go the common way."""
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETFL, os.O_DIRECT)
        try:
            return os.write(descriptor, blocks)
        finally:
            fcntl.fcntl(descriptor, fcntl.F_SETFL, 0)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP):
            raise
        return 0


class MemoryPool:
    """Blocks of memory that begin at a page, used again while they are warm."""

    def __init__(self, size_bytes: int) -> None:
        self._size_bytes = size_bytes
        self._lock = threading.Lock()
        self._spare: list[mmap.mmap] = []

    def take(self) -> mmap.mmap:
        """Return a block for one user."""
        with self._lock:
            if self._spare:
                return self._spare.pop()
        return mmap.mmap(-1, self._size_bytes)

    def give_back(self, block: mmap.mmap) -> None:
        """Take a block back that nobody uses any more."""
        with self._lock:
            if len(self._spare) < SPARE_MEMORIES:
                self._spare.append(block)
