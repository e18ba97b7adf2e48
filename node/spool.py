"""The durable store of received instances.

``store`` returns only when the file and its directory entry are on the disk, so that a success
answered afterwards stays true whatever happens next. All that the index says of an instance is
in its file, too: a row that was not written yet is made again by `node.recovery`.
"""

from __future__ import annotations

import fcntl
import itertools
import logging
import os
import shutil
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from node.checksum import may_name
from node.direct_write import MemoryPool
from node.durable import make_directory
from node.errors import STATUS_CANNOT_UNDERSTAND, NotAcceptable, OutOfResources, Permanent
from node.folders import SeriesFolders, series_folder
from node.gate import Gate
from node.incoming import MEMORY_BYTES, IncomingFile, StoreRequest
from node.index import SeriesRecord, SpoolIndex
from node.late_entries import Addition, Entry
from node.received import (
    ReceivedInstance,
    ReceivedSeries,
    StoredInstance,
    instance_file_name,
    instance_set_digest,
    series_key,
)
from node.recovery import RecoveryReport, recover
from node.resend import holds, is_whole
from node.settings import SpoolSettings

LOG = logging.getLogger(__name__)
INDEX_NAME = "index.sqlite"


class Spool:
    """Folder with received instances and their index; one process writes to it.

    Raises
    ------
    OSError
        The folder cannot be created or written.
    Permanent
        Another running process uses the folder.
    """

    def __init__(self, settings: SpoolSettings) -> None:
        self.root = settings.root.resolve()
        self.closed = False
        self._min_free_bytes = int(settings.min_free_gib * 2**30)
        make_directory(self.root / "incoming")
        self._ownership = _own(self.root / "owner.lock")
        make_directory(self.root / "series")
        self.index = SpoolIndex(self.root / INDEX_NAME)
        self.recovery: RecoveryReport = recover(self.root, self.index)
        self._temporary_names = itertools.count()
        self._memories = MemoryPool(MEMORY_BYTES)
        self._series = Gate()
        self._instances = Gate()
        self._folders = SeriesFolders(self.root)

    def close(self) -> None:
        """Close the index and give up the folder; closing twice is harmless."""
        if self.closed:
            return
        self.closed = True
        try:
            self.index.close()
        finally:
            os.close(self._ownership)

    def free_bytes(self) -> int:
        """Return the free space of the spool's file system for us, in bytes."""
        return shutil.disk_usage(self.root).free

    def has_room(self) -> bool:
        """Return whether free space is at or above the watermark."""
        return self.free_bytes() >= self._min_free_bytes

    def receive(self, request: StoreRequest) -> IncomingFile:
        """Begin to receive an instance; `keep` or `IncomingFile.discard` has to follow."""
        number = next(self._temporary_names)
        temporary = f"{self.root}/incoming/{os.getpid()}-{number}.part"
        incoming = IncomingFile(request, temporary, self._memories)
        if not self.has_room():
            incoming.refuse("spool is below its free space watermark")
        return incoming

    def keep(self, incoming: IncomingFile) -> tuple[StoredInstance, Addition]:
        """Make a completely received instance durable.

        Returns
        -------
        The stored instance, and whether it was new, known (same bytes: nothing is kept twice) or
        changed (same SOPInstanceUID, other bytes: both are kept, the later one is current).

        Raises
        ------
        NotAcceptable
            Unreadable header or missing UIDs, or other bytes with the checksum of what is kept;
            nothing more is kept.
        OutOfResources
            Disk below the watermark, full or failing; nothing is kept.
        """
        try:
            instance, addition = self._place(incoming, _describe(incoming))
        except (OSError, sqlite3.Error) as error:
            LOG.error("spool cannot write: %s", type(error).__name__)
            raise OutOfResources("spool cannot write") from error
        finally:
            incoming.discard()
        if addition is Addition.CHANGED:
            LOG.warning("instance %s came again with other content", instance.SOPInstanceUID)
        return instance, addition

    def store(
        self, request: StoreRequest, data_set: bytes | memoryview
    ) -> tuple[StoredInstance, Addition]:
        """Receive and keep a data set that is in memory already; see `keep`."""
        incoming = self.receive(request)
        incoming.write(memoryview(data_set))
        return self.keep(incoming)

    def _place(
        self, incoming: IncomingFile, instance: StoredInstance
    ) -> tuple[StoredInstance, Addition]:
        """Give an instance its file, then its entry; nothing if the spool holds it."""
        key = series_key(instance.StudyInstanceUID, instance.SeriesInstanceUID)
        with self._series.shared(key), self._instances.alone(f"{key} {instance.SOPInstanceUID}"):
            versions = self.index.versions(key, instance.SOPInstanceUID)
            held = self._held(incoming, instance, versions) if versions else None
            if held is not None:
                return held, Addition.KNOWN
            if instance.checksum in versions:
                self._replace_damaged(incoming, instance)
                return instance, Addition.KNOWN
            self._publish(incoming, instance)
            addition = Addition.CHANGED if versions else Addition.NEW
            self.index.enter(Entry(key, instance, addition))
            return instance, addition

    def _held(
        self, incoming: IncomingFile, instance: StoredInstance, versions: Sequence[str]
    ) -> StoredInstance | None:
        """Return the stored version that has the same bytes."""
        key = series_key(instance.StudyInstanceUID, instance.SeriesInstanceUID)
        for checksum in versions:
            path = _version_path(key, instance.SOPInstanceUID, checksum)
            if may_name(checksum, instance.checksum) and holds(f"{self.root}/{path}", incoming):
                return replace(instance, checksum=checksum, path=path)
        return None

    def _replace_damaged(self, incoming: IncomingFile, instance: StoredInstance) -> None:
        """Write a file again that is gone or no longer what was stored."""
        if is_whole(f"{self.root}/{instance.path}", instance.checksum):
            raise NotAcceptable(STATUS_CANNOT_UNDERSTAND, "Other content with the same checksum")
        LOG.error("spool file %s was gone or damaged and is written again", instance.path)
        self._publish(incoming, instance)

    def _publish(self, incoming: IncomingFile, instance: StoredInstance) -> None:
        key = series_key(instance.StudyInstanceUID, instance.SeriesInstanceUID)
        folder = self._folders.make(key)
        try:
            incoming.publish(f"{self.root}/{instance.path}")
            self._folders.settle(folder)
        except (OSError, OutOfResources):
            self._folders.forget(key)
            raise

    def received_series(
        self, study_instance_uid: str, series_instance_uid: str, reason: str = ""
    ) -> ReceivedSeries | None:
        """Return a series as it stands now, or None if the spool does not hold it."""
        record = self.index.record(series_key(study_instance_uid, series_instance_uid))
        return None if record is None else self.describe_series(record, reason)

    def describe_series(self, record: SeriesRecord, reason: str) -> ReceivedSeries:
        """Return an index record as `ReceivedSeries`, with absolute paths."""
        files = tuple(
            ReceivedInstance(self.root / each.path, each.SOPInstanceUID, each.checksum)
            for each in record.instances
        )
        return ReceivedSeries(
            StudyInstanceUID=record.StudyInstanceUID,
            SeriesInstanceUID=record.SeriesInstanceUID,
            folder=series_folder(self.root, record.key),
            files=files,
            instance_set_digest=instance_set_digest((f.SOPInstanceUID, f.checksum) for f in files),
            calling_ae_title=record.calling_ae_title,
            reason=reason,
        )

    def purge(self, study_instance_uid: str, series_instance_uid: str) -> bool:
        """Delete a series, files first noted then removed; False if it is unknown."""
        key = series_key(study_instance_uid, series_instance_uid)
        with self._series.alone(key):
            is_known = self.index.begin_purge(key)
            if is_known:
                self._finish_purge(key)
            return is_known

    def purge_rested(self, key: str, updated_before: float) -> bool:
        """Delete a series that a consumer took whole and that has not changed since a time.

        False if an instance came meanwhile, which may have been acknowledged just now: then
        nothing is deleted.
        """
        with self._series.alone(key):
            is_rested = self.index.begin_purge_of_rested(key, updated_before)
            if is_rested:
                self._finish_purge(key)
            return is_rested

    def purge_damaged(self, older_than_seconds: float) -> int:
        """Delete files that were set aside that long ago; return how many."""
        limit = time.time() - older_than_seconds
        # Renamed, not written, when it was set aside: the change of the inode tells when.
        old = [each for each in self._damaged() if each.stat().st_ctime < limit]
        for path in old:
            path.unlink(missing_ok=True)
        return len(old)

    def _damaged(self) -> list[Path]:
        folder = self.root / "damaged"
        return list(folder.iterdir()) if folder.is_dir() else []

    def _finish_purge(self, key: str) -> None:
        self._folders.forget(key)
        shutil.rmtree(series_folder(self.root, key), ignore_errors=True)
        self.index.forget(key)


def _own(lock: Path) -> int:
    """Hold the spool for this process; the kernel lets go of it even after kill -9."""
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise Permanent(f"another process uses the spool {lock.parent}") from error
    return descriptor


def _describe(incoming: IncomingFile) -> StoredInstance:
    header = incoming.header()
    checksum = incoming.checksum
    key = series_key(header.StudyInstanceUID, header.SeriesInstanceUID)
    return StoredInstance(
        **vars(header),
        checksum=checksum,
        size_bytes=incoming.size_bytes,
        path=_version_path(key, header.SOPInstanceUID, checksum),
        transfer_syntax_uid=incoming.request.transfer_syntax_uid,
        calling_ae_title=incoming.request.calling_ae_title,
    )


def _version_path(key: str, sop_instance_uid: str, checksum: str) -> str:
    """Return where a version of an instance is, relative to the spool."""
    return f"series/{key[:2]}/{key}/{instance_file_name(sop_instance_uid, checksum)}"
