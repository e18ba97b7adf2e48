"""One instance on its way into the spool: written and hashed piece by piece, in bounded memory."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from node.errors import (
    STATUS_CANNOT_UNDERSTAND,
    STATUS_DATA_SET_MISMATCH,
    NotAcceptable,
    OutOfResources,
)
from node.header import InstanceHeader, read_header
from node.part10 import file_prefix

# CT headers are a few kilobytes; a rare longer one is read back from the file.
HEAD_BYTES = 65_536
LONGEST_HEADER_BYTES = 16 * 2**20


@dataclass(frozen=True)
class StoreRequest:
    """What a C-STORE request says before its data set: Affected UIDs and negotiated syntax."""

    transfer_syntax_uid: str
    sop_class_uid: str
    sop_instance_uid: str
    calling_ae_title: str


class IncomingFile:
    """A temporary Part 10 file that grows as data arrives.

    A failing disk does not interrupt the transfer: the rest is dropped and `seal` says so, which
    lets the association answer 0xA700 and live on.
    """

    def __init__(self, request: StoreRequest, temporary: Path) -> None:
        self.request = request
        self.temporary = temporary
        self.size_bytes = 0
        self._sha256 = hashlib.sha256()
        self._head = bytearray()
        self._failure = ""
        self._descriptor = -1
        self._is_there = True
        prefix = file_prefix(
            request.sop_class_uid, request.sop_instance_uid, request.transfer_syntax_uid
        )
        self._prefix_bytes = len(prefix)
        try:
            self._descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            self.refuse(_reason(error))
        self._write(memoryview(prefix))

    @property
    def sha256(self) -> str:
        """SHA-256 of the data set so far."""
        return self._sha256.hexdigest()

    def write(self, piece: memoryview) -> None:
        """Append a piece of the data set."""
        self.size_bytes += len(piece)
        if self._failure:
            return
        if len(self._head) < HEAD_BYTES:
            self._head += piece[: HEAD_BYTES - len(self._head)]
        self._sha256.update(piece)
        self._write(piece)

    def _write(self, piece: memoryview) -> None:
        try:
            # One write(2) transfers at most 2 GiB, and less on a full disk.
            while piece and not self._failure:
                piece = piece[os.write(self._descriptor, piece) :]
        except OSError as error:
            self.refuse(_reason(error))

    def refuse(self, reason: str) -> None:
        """Drop what was written and all that follows."""
        self._failure = reason
        self.discard()

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
        try:
            return read_header(memoryview(self._head), syntax)
        except NotAcceptable:
            if self.size_bytes <= len(self._head):
                raise
        longer = os.pread(self._descriptor, LONGEST_HEADER_BYTES, self._prefix_bytes)
        return read_header(longer, syntax)

    def seal(self) -> None:
        """Make the content durable, so that the file may be given its name.

        Raises
        ------
        OutOfResources
            Writing failed, now or before.
        """
        self._check_disk()
        try:
            os.fsync(self._descriptor)
        except OSError as error:
            self.refuse(_reason(error))
            self._check_disk()
        self._close()

    def publish(self, path: str) -> None:
        """Move the sealed file to its name.

        Sealed before, nothing torn ever bears a final name, also when two associations publish
        the same instance at once. The name is durable once its directory is.
        """
        os.replace(self.temporary, path)  # noqa: PTH105 (once per instance; a Path costs more)
        self._is_there = False

    def discard(self) -> None:
        """Remove the temporary file; harmless after it was published."""
        self._close()
        if self._is_there:
            self.temporary.unlink(missing_ok=True)
            self._is_there = False

    def _close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _check_disk(self) -> None:
        if self._failure:
            raise OutOfResources(self._failure)


def _reason(error: OSError) -> str:
    return f"spool cannot write ({error.strerror or type(error).__name__})"
