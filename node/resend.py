"""Whether an instance that comes again is the stored one: decided by its bytes, in small pieces."""

from __future__ import annotations

import os
from typing import Final, Protocol

from node.checksum import checksum_of_file
from node.errors import NotAcceptable
from node.part10 import MAX_META_BYTES, parse_meta

PIECE_BYTES: Final = 2**18


class ReceivedBytes(Protocol):
    """A whole data set that can be read in pieces."""

    @property
    def size_bytes(self) -> int:
        """Length of the data set."""

    def piece(self, start: int, length: int) -> bytes:
        """Return at most `length` bytes of the data set from `start` on."""


def holds(path: str, received: ReceivedBytes) -> bool:
    """Return whether a stored file holds this data set; False if it is gone or no DICOM file.

    Raises
    ------
    OSError
        The file cannot be read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        return _is_same(descriptor, received)
    finally:
        os.close(descriptor)


def _is_same(descriptor: int, received: ReceivedBytes) -> bool:
    try:
        _, offset = parse_meta(os.pread(descriptor, MAX_META_BYTES, 0))
    except NotAcceptable:
        return False
    if os.fstat(descriptor).st_size - offset != received.size_bytes:
        return False
    return all(
        received.piece(start, PIECE_BYTES) == os.pread(descriptor, PIECE_BYTES, offset + start)
        for start in range(0, received.size_bytes, PIECE_BYTES)
    )


def is_whole(path: str, checksum: str) -> bool:
    """Return whether a stored file holds the data set that its version is named by."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123 (the path is a text here)
            _, offset = parse_meta(file.read(MAX_META_BYTES))
    except (FileNotFoundError, NotAcceptable):
        return False
    return checksum_of_file(path, offset)[0] == checksum
