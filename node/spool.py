"""The durable store of received instances.

``store`` returns only when the file, its directory entry and its index row are on the disk,
so that a success answered afterwards stays true whatever happens next.
"""

from __future__ import annotations

import fcntl
import hashlib
import itertools
import logging
import os
import shutil
import sqlite3
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from node.durable import make_directory, publish, write_temporary
from node.errors import STATUS_DATA_SET_MISMATCH, NotAcceptable, OutOfResources, Permanent
from node.header import InstanceHeader, read_header
from node.index import Addition, SeriesRecord, SpoolIndex
from node.part10 import file_prefix
from node.received import (
    ReceivedInstance,
    ReceivedSeries,
    StoredInstance,
    instance_file_name,
    instance_set_digest,
    series_key,
)
from node.recovery import RecoveryReport, recover, series_folder
from node.settings import SpoolSettings

LOG = logging.getLogger(__name__)
INDEX_NAME = "index.sqlite"
LOCK_STRIPES = 64


@dataclass(frozen=True)
class IncomingInstance:
    """A data set as it came over the association, never decoded.

    `sop_class_uid` and `sop_instance_uid` are the Affected UIDs of the C-STORE request.
    """

    data_set: bytes | memoryview
    transfer_syntax_uid: str
    sop_class_uid: str
    sop_instance_uid: str
    calling_ae_title: str


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
        self._series_locks = tuple(threading.Lock() for _ in range(LOCK_STRIPES))

    def close(self) -> None:
        """Close the index and give up the folder; closing twice is harmless."""
        if self.closed:
            return
        self.closed = True
        self.index.close()
        os.close(self._ownership)

    def free_bytes(self) -> int:
        """Return the free space of the spool's file system for us, in bytes."""
        return shutil.disk_usage(self.root).free

    def has_room(self, size_bytes: int = 0) -> bool:
        """Return whether an instance of this size keeps the watermark."""
        return self.free_bytes() - size_bytes >= self._min_free_bytes

    def store(self, incoming: IncomingInstance) -> tuple[StoredInstance, Addition]:
        """Make one instance durable.

        Returns
        -------
        The stored instance, and whether it was new, known (same bytes: nothing is written) or
        changed (same SOPInstanceUID, other bytes: both are kept, the later one is current).

        Raises
        ------
        NotAcceptable
            Unreadable header or missing UIDs; nothing is kept.
        OutOfResources
            Disk below the watermark, full or failing; nothing is kept.
        """
        header = _checked_header(incoming)
        instance = _describe(incoming, header)
        key = series_key(instance.StudyInstanceUID, instance.SeriesInstanceUID)
        target = self.root / instance.path
        if target.is_file() and self.index.knows(key, instance.SOPInstanceUID, instance.sha256):
            return instance, Addition.KNOWN
        if not self.has_room(instance.size_bytes):
            raise OutOfResources("spool is below its free space watermark")
        try:
            addition = self._write(incoming, instance, key)
        except (OSError, sqlite3.OperationalError) as error:
            LOG.error("spool cannot write %s: %s", instance.SOPInstanceUID, type(error).__name__)
            raise OutOfResources("spool cannot write") from error
        if addition is Addition.CHANGED:
            LOG.warning("instance %s came again with other content", instance.SOPInstanceUID)
        return instance, addition

    def _write(self, incoming: IncomingInstance, instance: StoredInstance, key: str) -> Addition:
        prefix = file_prefix(
            instance.SOPClassUID, instance.SOPInstanceUID, instance.transfer_syntax_uid
        )
        temporary = self.root / "incoming" / f"{os.getpid()}-{next(self._temporary_names)}.part"
        write_temporary(temporary, (prefix, incoming.data_set))
        with self._lock_of(key):
            make_directory(series_folder(self.root, key))
            publish(temporary, self.root / instance.path)
            return self.index.add(instance)

    def _lock_of(self, key: str) -> threading.Lock:
        return self._series_locks[int(key[:8], 16) % LOCK_STRIPES]

    def received_series(
        self, study_instance_uid: str, series_instance_uid: str, reason: str = ""
    ) -> ReceivedSeries | None:
        """Return a series as it stands now, or None if the spool does not hold it."""
        record = self.index.record(series_key(study_instance_uid, series_instance_uid))
        return None if record is None else self.describe_series(record, reason)

    def describe_series(self, record: SeriesRecord, reason: str) -> ReceivedSeries:
        """Return an index record as `ReceivedSeries`, with absolute paths."""
        files = tuple(
            ReceivedInstance(self.root / each.path, each.SOPInstanceUID, each.sha256)
            for each in record.instances
        )
        return ReceivedSeries(
            StudyInstanceUID=record.StudyInstanceUID,
            SeriesInstanceUID=record.SeriesInstanceUID,
            folder=series_folder(self.root, record.key),
            files=files,
            instance_set_digest=instance_set_digest((f.SOPInstanceUID, f.sha256) for f in files),
            calling_ae_title=record.calling_ae_title,
            reason=reason,
        )

    def purge(self, study_instance_uid: str, series_instance_uid: str) -> bool:
        """Delete a series, files first noted then removed; False if it is unknown."""
        key = series_key(study_instance_uid, series_instance_uid)
        if self.index.record(key) is None:
            return False
        self._purge(key)
        return True

    def purge_handed_over(self, older_than_seconds: float) -> int:
        """Delete series whose consumer took them and that rested that long; return how many."""
        keys = self.index.handed_before(time.time() - older_than_seconds)
        for key in keys:
            self._purge(key)
        return len(keys)

    def _purge(self, key: str) -> None:
        with self._lock_of(key):
            self.index.begin_purge(key)
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


def _checked_header(incoming: IncomingInstance) -> InstanceHeader:
    header = read_header(incoming.data_set, incoming.transfer_syntax_uid)
    if header.SOPInstanceUID != incoming.sop_instance_uid:
        raise NotAcceptable(STATUS_DATA_SET_MISMATCH, "SOPInstanceUID differs from the request")
    if header.SOPClassUID != incoming.sop_class_uid:
        raise NotAcceptable(STATUS_DATA_SET_MISMATCH, "SOPClassUID differs from the request")
    return header


def _describe(incoming: IncomingInstance, header: InstanceHeader) -> StoredInstance:
    sha256 = hashlib.sha256(incoming.data_set).hexdigest()
    key = series_key(header.StudyInstanceUID, header.SeriesInstanceUID)
    name = instance_file_name(header.SOPInstanceUID, sha256)
    return StoredInstance(
        SOPInstanceUID=header.SOPInstanceUID,
        SOPClassUID=header.SOPClassUID,
        StudyInstanceUID=header.StudyInstanceUID,
        SeriesInstanceUID=header.SeriesInstanceUID,
        Modality=header.Modality,
        sha256=sha256,
        size_bytes=len(incoming.data_set),
        path=f"series/{key[:2]}/{key}/{name}",
        transfer_syntax_uid=incoming.transfer_syntax_uid,
        calling_ae_title=incoming.calling_ae_title,
    )
