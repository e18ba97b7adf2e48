"""What the node hands on: a series as received, with the digest of its instance set."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path


@dataclass(frozen=True)
class ReceivedInstance:
    """One file of a series; `checksum` is of the encoded data set without file meta."""

    path: Path
    SOPInstanceUID: str
    checksum: str


@dataclass(frozen=True)
class ReceivedSeries:
    """One instance set of one series.

    Attributes
    ----------
    folder
        Folder of the series in the spool. It may also hold superseded versions of an
        instance: read `files`, not the folder.
    files
        The current version of each instance, sorted by SOPInstanceUID.
    instance_set_digest
        Same digest, same instances with the same bytes; see `instance_set_digest`.
    calling_ae_title
        Who sent the latest instance.
    reason
        Why the series counts as complete, a `node.series.CompletionReason` value.
    announced_instances
        How many instances an archive said the series has, if one was asked and knew.
    """

    StudyInstanceUID: str
    SeriesInstanceUID: str
    folder: Path
    files: tuple[ReceivedInstance, ...]
    instance_set_digest: str
    calling_ae_title: str
    reason: str
    announced_instances: int | None = None


@dataclass(frozen=True)
class StoredInstance:
    """What the index knows of one stored data set; `path` is relative to the spool."""

    SOPInstanceUID: str
    SOPClassUID: str
    StudyInstanceUID: str
    SeriesInstanceUID: str
    Modality: str
    checksum: str
    size_bytes: int
    path: str
    transfer_syntax_uid: str
    calling_ae_title: str


@lru_cache(maxsize=256)
def series_key(study_instance_uid: str, series_instance_uid: str) -> str:
    """Return the folder name of a series: a hash, so no UID text reaches the file system."""
    return hashlib.sha256(f"{study_instance_uid}\n{series_instance_uid}".encode()).hexdigest()[:32]


def instance_file_name(sop_instance_uid: str, checksum: str) -> str:
    """Return the file name of one version of an instance; other content, other name."""
    return f"{hashlib.sha256(sop_instance_uid.encode()).hexdigest()[:32]}-{checksum[:32]}.dcm"


def instance_set_digest(instances: Iterable[tuple[str, str]]) -> str:
    """Return SHA-256 over the sorted (SOPInstanceUID, checksum) pairs."""
    digest = hashlib.sha256()
    for sop_instance_uid, checksum in sorted(instances):
        digest.update(f"{sop_instance_uid}\0{checksum}\n".encode())
    return digest.hexdigest()
