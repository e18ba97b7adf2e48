"""What the caller decides about the objects: which, for whom, under which UID root."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime

from sr_writer.errors import SettingsInvalid

OUTPUTS = ("seg", "sr", "overview", "pdf", "key_images")
"""Names allowed in `WriterSettings.outputs`."""

SEG_ENCODINGS = ("binary", "labelmap")

_UID_ROOT = re.compile(r"[0-2](\.(0|[1-9]\d*))+")
_MAX_ROOT_LENGTH = 36
"""Leaves at least 27 digits (about 90 bits) of a UID's 64 characters to the digest."""


@dataclass(frozen=True)
class SoftwareIdentity:
    """The program that writes, as equipment modules and reports name it."""

    name: str
    version: str


@dataclass(frozen=True)
class PredecessorObject:
    """An earlier result of the same series that a new one supersedes.

    Attributes
    ----------
    reason
        Why there is a new one, as a clause: ``later slices arrived``; empty where unknown.
    """

    SOPClassUID: str
    SOPInstanceUID: str
    SeriesInstanceUID: str
    reason: str = ""


@dataclass(frozen=True)
class WriterSettings:
    """How results are written.

    Attributes
    ----------
    outputs
        Subset of `OUTPUTS`.
    seg_encoding
        ``binary`` (every viewer) or ``labelmap`` (few viewers).
    organisation
        Institution Name of the results; empty keeps the source's.
    uid_root
        Own UID root, or None for ``2.25.`` (UUID-derived, PS3.5 B.2).
    configuration
        Any text that stands for the configuration that shaped the results; it enters every UID.
    created
        Date and time the results carry. None takes the present moment: pass the job's own
        timestamp where a re-run has to give the same bytes.
    predecessor
        The structured report that this result supersedes.
    """

    outputs: tuple[str, ...] = OUTPUTS
    seg_encoding: str = "binary"
    organisation: str = ""
    uid_root: str | None = None
    configuration: str = ""
    created: datetime | None = None
    predecessor: PredecessorObject | None = None

    def __post_init__(self) -> None:
        unknown = [name for name in self.outputs if name not in OUTPUTS]
        if unknown:
            raise SettingsInvalid(f"outputs: {unknown[0]!r} is none of {', '.join(OUTPUTS)}")
        if self.seg_encoding not in SEG_ENCODINGS:
            raise SettingsInvalid(f"seg_encoding: {self.seg_encoding!r} is not binary or labelmap")
        root = self.uid_root
        if root is not None and (len(root) > _MAX_ROOT_LENGTH or not _UID_ROOT.fullmatch(root)):
            raise SettingsInvalid(
                f"uid_root: {root!r} is no UID of at most {_MAX_ROOT_LENGTH} characters"
            )

    @property
    def created_at(self) -> datetime:
        """`created`, or the present moment in UTC."""
        return self.created if self.created is not None else datetime.now(UTC)

    @property
    def digest(self) -> str:
        """SHA-256 of what, besides input, model and program, decides the content of a result."""
        parts = (self.configuration, self.seg_encoding, self.organisation)
        return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()
