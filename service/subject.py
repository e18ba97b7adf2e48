"""Whom a series shows: read from its images only where somebody has to be told."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pydicom import Dataset, dcmread
from pydicom.errors import InvalidDicomError
from pydicom.multival import MultiValue

_ELEMENTS = [
    "SpecificCharacterSet", "PatientID", "IssuerOfPatientID", "PatientName", "PatientBirthDate",
    "PatientSex", "AccessionNumber", "StudyDate", "StudyTime", "StudyInstanceUID",
    "PlacerOrderNumberImagingServiceRequest", "FillerOrderNumberImagingServiceRequest",
]  # fmt: skip


@dataclass(frozen=True, repr=False)
class Subject:
    """Patient and order, as the images name them; empty where they do not.

    Attributes
    ----------
    PatientName
        Components in the order of PS3.5 6.2.1.2 (family, given, middle, prefix, suffix) of the
        first group that has any.
    """

    PatientID: str = ""
    IssuerOfPatientID: str = ""
    PatientName: tuple[str, ...] = ()
    PatientBirthDate: str = ""
    PatientSex: str = ""
    AccessionNumber: str = ""
    StudyDate: str = ""
    StudyTime: str = ""
    StudyInstanceUID: str = ""
    PlacerOrderNumber: str = ""
    FillerOrderNumber: str = ""

    @property
    def shown_name(self) -> str:
        """The name with DICOM's separators."""
        return "^".join(self.PatientName)


def read_subject(files: Iterable[Path]) -> Subject:
    """Read the first file that can be read; an empty subject if none can."""
    for path in files:
        try:
            header = dcmread(path, stop_before_pixels=True, specific_tags=_ELEMENTS)
            return _subject(header)
        except (InvalidDicomError, OSError, ValueError, LookupError, AttributeError):
            continue
    return Subject()


def _subject(header: Dataset) -> Subject:
    return Subject(
        PatientID=_text(header, "PatientID"),
        IssuerOfPatientID=_text(header, "IssuerOfPatientID"),
        PatientName=_name(header),
        PatientBirthDate=_text(header, "PatientBirthDate"),
        PatientSex=_text(header, "PatientSex"),
        AccessionNumber=_text(header, "AccessionNumber"),
        StudyDate=_text(header, "StudyDate"),
        StudyTime=_text(header, "StudyTime"),
        StudyInstanceUID=_text(header, "StudyInstanceUID"),
        PlacerOrderNumber=_text(header, "PlacerOrderNumberImagingServiceRequest"),
        FillerOrderNumber=_text(header, "FillerOrderNumberImagingServiceRequest"),
    )


def _text(header: Dataset, keyword: str) -> str:
    value = header.get(keyword)
    if isinstance(value, MultiValue):
        value = value[0] if value else ""
    return "" if value is None else str(value).strip()


def _name(header: Dataset) -> tuple[str, ...]:
    groups = _text(header, "PatientName").split("=")
    group = next((each for each in groups if each.strip("^ ")), "")
    return tuple(part.strip() for part in group.split("^")) if group else ()
