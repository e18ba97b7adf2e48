"""What every result object has in common: patient, study, series, equipment, SOP common.

Sources: PS3.3 C.7.1.1 (Patient), C.7.2.1 (General Study), C.7.3.1 (General Series), C.7.5.1 and
C.7.5.2 (Equipment), C.12.1 (SOP Common, Contributing Equipment).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from sr_writer import codes
from sr_writer.findings_schema import Findings
from sr_writer.headers import STUDY_KEYWORDS
from sr_writer.inherited_text import inherit_texts
from sr_writer.provenance import MANUFACTURER, ObjectKind, ResultUIDs, derived_uid, series_number
from sr_writer.settings import WriterSettings
from sr_writer.wording import ascii_text

IMPLEMENTATION_CLASS_UID = derived_uid(None, "spinenode", "implementation class")
IMPLEMENTATION_VERSION_NAME = "SPINENODE_1"
BODY_PART = "SPINE"
_OFFSET = re.compile(r"([+-])(0\d|1[0-4])([0-5]\d)")


@dataclass(frozen=True)
class ResultContext:
    """What every writer of one result needs.

    Attributes
    ----------
    header
        Normalised header of a source image; patient and study come from it.
    stored
        The same header as it lies in the file, its texts not decoded.
    created
        Date and time of all objects of the result.
    """

    findings: Findings
    settings: WriterSettings
    uids: ResultUIDs
    header: Dataset
    stored: Dataset
    created: datetime

    @property
    def date(self) -> str:
        """`created` as DA."""
        return self._study_clock.strftime("%Y%m%d")

    @property
    def time(self) -> str:
        """`created` as TM."""
        return self._study_clock.strftime("%H%M%S")

    @property
    def _study_clock(self) -> datetime:
        """`created` on the clock that Timezone Offset From UTC names, where the study has one."""
        offset = _OFFSET.fullmatch(str(self.header.get("TimezoneOffsetFromUTC") or ""))
        if offset is None or self.created.tzinfo is None:
            return self.created
        sign, hours, minutes = offset.groups()
        delta = timedelta(hours=int(hours), minutes=int(minutes))
        return self.created.astimezone(timezone(-delta if sign == "-" else delta))


def new_instance(kind: ObjectKind, context: ResultContext) -> Dataset:
    """Return a data set of `kind` with everything but its content."""
    ds = Dataset()
    stamp(ds, kind, context)
    return ds


def stamp(ds: Dataset, kind: ObjectKind, context: ResultContext) -> None:
    """Set everything a result has in common with its siblings, in place."""
    findings, header = context.findings, context.header
    for keyword in STUDY_KEYWORDS:
        if keyword in header:
            ds[keyword] = header[keyword]
    ds.file_meta = _file_meta(kind, context)
    ds.SOPClassUID = kind.SOPClassUID
    ds.SOPInstanceUID = context.uids.instance(kind)
    ds.SeriesInstanceUID = context.uids.series(kind)
    ds.Modality = kind.Modality
    number = header.get("SeriesNumber")
    ds.SeriesNumber = series_number(int(number) if number not in (None, "") else None, kind)
    ds.SeriesDescription = kind.SeriesDescription
    ds.InstanceNumber = 1
    ds.SeriesDate = ds.ContentDate = ds.InstanceCreationDate = context.date
    ds.SeriesTime = ds.ContentTime = ds.InstanceCreationTime = context.time
    ds.Manufacturer = MANUFACTURER
    ds.ManufacturerModelName = findings.software_name
    ds.DeviceSerialNumber = context.uids.device_serial()
    ds.SoftwareVersions = findings.software_version
    if kind.Modality not in ("SR", "KO", "DOC"):
        ds.BodyPartExamined = BODY_PART
    ds.ContributingEquipmentSequence = _contributing_equipment(context)
    inherit_texts(ds, context.stored, context.settings.organisation)


def coding_schemes() -> list[Dataset]:
    """Items of Coding Scheme Identification Sequence for the schemes DICOM does not define."""
    item = Dataset()
    item.CodingSchemeDesignator = codes.PRIVATE_SCHEME
    item.CodingSchemeName = codes.PRIVATE_SCHEME_NAME
    item.CodingSchemeVersion = "1"
    item.CodingSchemeResponsibleOrganization = MANUFACTURER
    return [item]


def _file_meta(kind: ObjectKind, context: ResultContext) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\x00\x01"
    meta.MediaStorageSOPClassUID = UID(kind.SOPClassUID)
    meta.MediaStorageSOPInstanceUID = UID(context.uids.instance(kind))
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
    return meta


def _contributing_equipment(context: ResultContext) -> list[Dataset]:
    """One item per algorithm, purpose "Processing Equipment" (CID 7005)."""
    findings = context.findings
    algorithms = [(findings.software_name, findings.software_version)]
    if findings.model is not None:
        algorithms.append((findings.model.name, findings.model.version))
    if findings.texture_preset is not None:
        algorithms.append((f"texture {findings.texture_preset.name}", findings.software_version))
    return [_equipment_item(name, version) for name, version in algorithms]


def _equipment_item(name: str, version: str) -> Dataset:
    item = Dataset()
    item.PurposeOfReferenceCodeSequence = [codes.PROCESSING_EQUIPMENT.item()]
    item.Manufacturer = MANUFACTURER
    item.ManufacturerModelName = ascii_text(name)[:64]
    item.SoftwareVersions = ascii_text(version)[:64]
    return item
