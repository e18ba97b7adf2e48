"""One instance on its way into the spool: collected in bounded memory, written once."""

from __future__ import annotations

import contextlib
import mmap
import os
from dataclasses import dataclass
from typing import Final

from node import checksum
from node.direct_write import MemoryPool, write_all
from node.durable import sync_directory
from node.errors import (
    STATUS_CANNOT_UNDERSTAND,
    STATUS_DATA_SET_MISMATCH,
    NotAcceptable,
    OutOfResources,
)
from node.header import InstanceHeader, read_header
from node.part10 import file_prefix

MEMORY_BYTES: Final = 2**20
"""A CT image of 512 x 512 fits; what is longer grows in a temporary file, piece by piece."""
LONGEST_HEADER_BYTES: Final = 16 * 2**20
NEW_FILE: Final = os.O_RDWR | os.O_CREAT | os.O_EXCL


@dataclass(frozen=True)
class StoreRequest:
    """What a C-STORE request says before its data set: Affected UIDs and negotiated syntax."""

    transfer_syntax_uid: str
    sop_class_uid: str
    sop_instance_uid: str
    calling_ae_title: str


class IncomingFile:
    """A Part 10 file that grows as data arrives.

    A failing disk does not interrupt the transfer: the rest is dropped and `publish` says so,
    which lets the association answer 0xA700 and live on.

    Parameters
    ----------
    memories
        Where to collect; `discard` gives it back.
    """

    def __init__(self, request: StoreRequest, temporary: str, memories: MemoryPool) -> None:
        self.request = request
        self.temporary = temporary
        self.size_bytes = 0
        self._checksum = checksum.begin()
        self._failure = ""
        self._descriptor = -1
        self._has_temporary = False
        prefix = file_prefix(
            request.sop_class_uid,
            request.sop_instance_uid,
            request.transfer_syntax_uid,
            request.calling_ae_title,
        )
        self._data_start = self._summed = self._end = len(prefix)
        self._memories = memories
        self._memory: mmap.mmap | None = memories.take()
        self._view = memoryview(self._memory)
        self._view[: self._end] = prefix

    @property
    def checksum(self) -> str:
        """Checksum of the data set so far, which names this version of the instance."""
        self._sum()
        return self._checksum.hexdigest()

    def piece(self, start: int, length: int) -> bytes:
        """Return at most `length` bytes of the data set from `start` on.

        Raises
        ------
        OutOfResources
            Writing failed.
        OSError
            The temporary file cannot be read.
        """
        at = self._data_start + start
        if self._has_temporary:
            self._write_out()
        self._check_disk()
        if self._has_temporary:
            return os.pread(self._descriptor, length, at)
        return bytes(self._view[at : min(at + length, self._end)])

    def room(self, wanted: int) -> memoryview:
        """Return where to put the next bytes of the data set, at most `wanted`; then `add`."""
        if self._end == len(self._view):
            self._write_out()
        return self._view[self._end : self._end + wanted]

    def add(self, count: int) -> None:
        """Take the bytes that were put into `room`."""
        self.size_bytes += count
        if self._failure:
            return
        self._end += count

    def write(self, piece: memoryview) -> None:
        """Append a piece of the data set."""
        while piece:
            room = self.room(len(piece))
            room[:] = piece[: len(room)]
            self.add(len(room))
            piece = piece[len(room) :]

    def refuse(self, reason: str) -> None:
        """Drop what was written and all that follows."""
        self._failure = reason
        self._drop_file()
        self._summed = self._end = self._data_start

    def header(self) -> InstanceHeader:
        """Return the identity of the data set, which must be that of the request.

        Raises
        ------
        NotAcceptable
            Unreadable, a UID missing, or not what the request announced.
        OutOfResources
            Writing failed.
        """
        self._check_disk()
        header = self._read_header()
        if header.SOPInstanceUID != self.request.sop_instance_uid:
            raise NotAcceptable(STATUS_DATA_SET_MISMATCH, "SOPInstanceUID differs from the request")
        if header.SOPClassUID != self.request.sop_class_uid:
            raise NotAcceptable(STATUS_DATA_SET_MISMATCH, "SOPClassUID differs from the request")
        return header

    def _read_header(self) -> InstanceHeader:
        syntax = self.request.transfer_syntax_uid
        if not self.size_bytes:
            raise NotAcceptable(STATUS_CANNOT_UNDERSTAND, "C-STORE request without data set")
        if not self._has_temporary:
            return read_header(self._view[self._data_start : self._end], syntax)
        self._write_out()
        self._check_disk()
        try:
            return read_header(os.pread(self._descriptor, MEMORY_BYTES, self._data_start), syntax)
        except NotAcceptable:
            longer = os.pread(self._descriptor, LONGEST_HEADER_BYTES, self._data_start)
        return read_header(longer, syntax)

    def publish(self, path: str) -> None:
        """Give content and name to the disk; one flush of a new file is the least that can be.

        Whoever calls publishes no other file of this name meanwhile. The name is durable once
        its directory is, see `node.durable`.

        Raises
        ------
        OutOfResources
            Writing failed, now or before.
        """
        self._check_disk()
        try:
            if self._has_temporary or not self._create(path):
                self._rename(path)
        except OSError as error:
            self.refuse(_reason(error))
            self._check_disk()

    def _create(self, path: str) -> bool:
        """Write what is in memory under its final name; False if that name is taken.

        A power cut leaves a torn file, whose content does not have the checksum in its name.
        """
        try:
            self._descriptor = os.open(path, NEW_FILE, 0o600)
        except FileExistsError:
            return False
        try:
            write_all(self._descriptor, self._view[: self._end])
            self._flush()
        except OSError:
            os.unlink(path)  # noqa: PTH108 (the path is a text here)
            raise
        return True

    def _rename(self, path: str) -> None:
        """Flush the temporary file before it gets its name, which somebody may read already."""
        self._write_out()
        self._check_disk()
        self._flush()
        os.replace(self.temporary, path)  # noqa: PTH105 (the path is a text here)
        self._has_temporary = False
        sync_directory(os.path.dirname(path))  # noqa: PTH120 (the path is a text here)

    def _flush(self) -> None:
        os.fsync(self._descriptor)
        self._close()

    def discard(self) -> None:
        """Give up what is not published; harmless afterwards."""
        self._drop_file()
        if self._memory is not None:
            self._view = memoryview(b"")
            self._memories.give_back(self._memory)
            self._memory = None

    def _drop_file(self) -> None:
        self._close()
        if self._has_temporary:
            self._has_temporary = False
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.temporary)  # noqa: PTH108 (the path is a text here)

    def _write_out(self) -> None:
        """Move what is in memory to the temporary file."""
        if self._failure:
            return
        self._sum()
        try:
            if not self._has_temporary:
                self._descriptor = os.open(self.temporary, NEW_FILE, 0o600)
                self._has_temporary = True
            write_all(self._descriptor, self._view[: self._end])
        except OSError as error:
            self.refuse(_reason(error))
        self._summed = self._end = 0

    def _sum(self) -> None:
        if self._summed < self._end:
            self._checksum.update(self._view[self._summed : self._end])
            self._summed = self._end

    def _close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _check_disk(self) -> None:
        if self._failure:
            raise OutOfResources(self._failure)


def _reason(error: OSError) -> str:
    return f"spool cannot write ({error.strerror or type(error).__name__})"
