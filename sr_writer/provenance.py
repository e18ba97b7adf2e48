"""Who wrote a result, and UIDs that are the same whenever the same result is written again.

A result UID is a digest of input instance set, model, program, texture preset, configuration and
object kind. Resending a study therefore changes nothing in the archive, and a new model never
overwrites the result of an old one.
"""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass

from sr_writer.findings_schema import Findings
from sr_writer.settings import WriterSettings

MANUFACTURER = "spinenode project"
_NAMESPACE = uuid.UUID("6f5b1c0e-6f0c-5f0e-9a57-5b1a6d0e7a11")
_UID_MAX_LENGTH = 64


@dataclass(frozen=True)
class ObjectKind:
    """One kind of result: its SOP class and how its series presents itself.

    Attributes
    ----------
    name
        As in `WrittenObject.kind` and ``findings.outputs``.
    ordinal
        Last digit of the Series Number.
    part
        Which of several objects of one kind and series this is; empty where there is one.
    """

    name: str
    SOPClassUID: str
    Modality: str
    SeriesDescription: str
    ordinal: int
    file: str
    part: str = ""


SEG = ObjectKind(
    "seg", "1.2.840.10008.5.1.4.1.1.66.4", "SEG", "Vertebrae segmentation", 1, "vertebrae.seg.dcm"
)
LABELMAP_SEG = ObjectKind(
    "seg", "1.2.840.10008.5.1.4.1.1.66.7", "SEG", "Vertebrae label map", 1, "vertebrae.seg.dcm"
)
SR = ObjectKind(
    "sr", "1.2.840.10008.5.1.4.1.1.88.34", "SR", "Spine measurements", 2, "report.sr.dcm"
)
NARRATIVE = ObjectKind(
    "narrative", "1.2.840.10008.5.1.4.1.1.88.22", "SR", "Spine report text", 3, "narrative.sr.dcm"
)
OVERVIEW = ObjectKind(
    "overview", "1.2.840.10008.5.1.4.1.1.7", "OT", "Spine overview", 4, "overview.sc.dcm"
)
PDF = ObjectKind(
    "pdf", "1.2.840.10008.5.1.4.1.1.104.1", "DOC", "Spine report PDF", 5, "report.pdf.dcm"
)
KEY_IMAGES = ObjectKind(
    "key_images", "1.2.840.10008.5.1.4.1.1.88.59", "KO", "Flagged vertebrae", 6,
    "key-images.ko.dcm",
)  # fmt: skip


def close_up_kind(level: str) -> ObjectKind:
    """Kind of the close-up of one level; the close-ups of a result share a series."""
    return ObjectKind(
        "closeup", OVERVIEW.SOPClassUID, "OT", "Flagged vertebrae close-up", 7,
        f"closeup-{level}.sc.dcm", level,
    )  # fmt: skip


class ResultUIDs:
    """Derived UIDs of one result.

    Parameters
    ----------
    findings
        Source digest, model, program and preset enter the digest.
    settings
        UID root and configuration digest.
    """

    def __init__(self, findings: Findings, settings: WriterSettings) -> None:
        self._root = settings.uid_root
        self._program = f"{findings.software_name} {findings.software_version}"
        self._source = findings.source.digest
        self._result = "\x1f".join(
            (
                self._program,
                findings.source.digest,
                findings.model.sha256 if findings.model else "",
                findings.texture_preset.name if findings.texture_preset else "",
                settings.digest,
            )
        )

    def instance(self, kind: ObjectKind) -> str:
        """SOP Instance UID of one object."""
        parts = (kind.name, kind.part) if kind.part else (kind.name,)
        return derived_uid(self._root, self._result, "instance", *parts)

    def series(self, kind: ObjectKind) -> str:
        """Series Instance UID of a kind of object; every kind has its own series."""
        return derived_uid(self._root, self._result, "series", kind.name)

    def tracking(self, structure: str) -> str:
        """Tracking UID of one structure, shared by SEG and SR."""
        return derived_uid(self._root, self._result, "tracking", structure)

    def dimension_organization(self) -> str:
        """Dimension Organization UID of the SEG."""
        return derived_uid(self._root, self._result, "dimensions")

    def frame_of_reference(self, series_instance_uid: str) -> str:
        """Stand-in where the source has no Frame of Reference UID; depends on the series alone."""
        return derived_uid(self._root, series_instance_uid, "frame of reference")

    def device(self) -> str:
        """UID of the program as an observer, the same in every study."""
        return derived_uid(self._root, self._program, "device")

    def device_serial(self) -> str:
        """Device Serial Number: the last digits of the device's UID."""
        return self.device()[-16:]


def derived_uid(root: str | None, *parts: str) -> str:
    """Return a UID that depends on the parts alone (PS3.5 B.2 for ``2.25.``)."""
    text = "\x1f".join(parts)
    if root is None:
        return f"2.25.{uuid.uuid5(_NAMESPACE, text).int}"
    digits = str(int(hashlib.sha256(text.encode()).hexdigest(), 16)).lstrip("0")
    return f"{root}.{digits}"[:_UID_MAX_LENGTH]


def series_number(source_series_number: int | None, kind: ObjectKind) -> int:
    """Series Number that no scanner uses and that two source series of one study do not share."""
    source = 0 if source_series_number is None else abs(source_series_number) % 100_000
    return 10_000 + 10 * source + kind.ordinal
