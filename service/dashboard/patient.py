"""Whose images a job was made from: read when somebody asks, never kept."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pydicom import dcmread
from pydicom.errors import InvalidDicomError

_SHOWN = {
    "PatientName": "Name",
    "PatientID": "Patient ID",
    "PatientBirthDate": "Born",
    "PatientSex": "Sex",
    "AccessionNumber": "Accession number",
    "StudyDate": "Study date",
    "StudyDescription": "Study",
    "SeriesDescription": "Series",
    "InstitutionName": "Institution",
}


@dataclass(frozen=True)
class PatientLine:
    """One attribute as people read it."""

    name: str
    value: str


def patient_lines(files: Iterable[Path]) -> tuple[PatientLine, ...]:
    """Identifiers from the first of the files that can be read; empty if none can."""
    for path in files:
        try:
            header = dcmread(
                path, stop_before_pixels=True, specific_tags=[*_SHOWN, "SpecificCharacterSet"]
            )
            values = {keyword: str(header.get(keyword, "")) for keyword in _SHOWN}
        except (InvalidDicomError, OSError, ValueError):
            continue
        return tuple(
            PatientLine(_SHOWN[keyword], _readable(keyword, value))
            for keyword, value in values.items()
            if value
        )
    return ()


def _readable(keyword: str, value: str) -> str:
    if keyword == "PatientName":
        return value.partition("=")[0].replace("^", " ").strip() or value
    if keyword.endswith("Date") and len(value) == 8 and value.isdigit():
        return f"{value[:4]}-{value[4:6]}-{value[6:]}"
    return value
