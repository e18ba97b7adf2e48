"""Bring spool files and index together after a crash: finish, adopt or set aside."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from node.checksum import KINDS, checksum_of_file
from node.durable import make_directory, sync_directory
from node.errors import NotAcceptable
from node.folders import series_folder
from node.index import SpoolIndex
from node.part10 import FileIdentity, identify
from node.received import StoredInstance, instance_file_name, series_key

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class RecoveryReport:
    """What was found: torn temporary files removed, orphans adopted, damaged set aside."""

    torn: int
    adopted: int
    damaged: int
    missing: int


def recover(root: Path, index: SpoolIndex) -> RecoveryReport:
    """Make the index equal to the files under `root`.

    A temporary file was never acknowledged and is removed. A file without index entry may have
    been acknowledged: if its bytes are what its name says it is adopted, with all that its row
    would have said. Otherwise the power failed while it was written, or it was damaged since, and
    it goes to ``damaged/``. An index entry without file is dropped and reported.
    """
    for key in index.purging_series():
        shutil.rmtree(series_folder(root, key), ignore_errors=True)
        index.forget(key)
    torn = _remove_torn(root / "incoming")
    on_disk = {str(path.relative_to(root)) for path in (root / "series").glob("*/*/*.dcm")}
    indexed = index.paths()
    adopted = damaged = 0
    for relative in _as_they_came(root, on_disk - indexed):
        if _adopt(root, relative, index):
            adopted += 1
        else:
            damaged += 1
    missing = indexed - on_disk
    for relative in sorted(missing):
        LOG.error("spool file %s is missing; its entry is dropped", relative)
        index.drop_version(relative)
    report = RecoveryReport(torn, adopted, damaged, len(missing))
    if any((torn, adopted, damaged, missing)):
        LOG.warning("spool recovered: %s", report)
    return report


def _as_they_came(root: Path, relative: Iterable[str]) -> list[str]:
    """Sort files by age: of two contents of an instance the later one is current."""
    return sorted(relative, key=lambda each: ((root / each).stat().st_mtime_ns, each))


def _remove_torn(incoming: Path) -> int:
    torn = [path for path in incoming.iterdir() if path.is_file()]
    for path in torn:
        path.unlink()
    return len(torn)


def _adopt(root: Path, relative: str, index: SpoolIndex) -> bool:
    path = root / relative
    try:
        identity = identify(path)
        named_by = _named_by(path, identity)
    except (NotAcceptable, OSError) as error:
        LOG.error("orphan %s is unreadable (%s) and set aside", relative, type(error).__name__)
        _set_aside(root, path)
        return False
    if named_by is None:
        LOG.error("orphan %s is not what its name says and set aside", relative)
        _set_aside(root, path)
        return False
    checksum, size_bytes = named_by
    index.add(
        StoredInstance(
            **vars(identity.header),
            checksum=checksum,
            size_bytes=size_bytes,
            path=relative,
            transfer_syntax_uid=identity.transfer_syntax_uid,
            calling_ae_title=identity.calling_ae_title,
        )
    )
    return True


def _named_by(path: Path, identity: FileIdentity) -> tuple[str, int] | None:
    """Return checksum and length of the data set if they are those of the file's name and place."""
    header = identity.header
    if path.parent.name != series_key(header.StudyInstanceUID, header.SeriesInstanceUID):
        return None
    for kind in KINDS:
        checksum, size_bytes = checksum_of_file(path, identity.data_set_offset, kind)
        if path.name == instance_file_name(header.SOPInstanceUID, checksum):
            return checksum, size_bytes
    return None


def _set_aside(root: Path, path: Path) -> None:
    make_directory(root / "damaged")
    path.replace(root / "damaged" / path.name)
    sync_directory(root / "damaged")
