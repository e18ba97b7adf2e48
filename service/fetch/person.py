"""What statistics need to know of whom a study shows: group, age, sex, and who is the same person.

The patient's own ID and name go nowhere: people are told apart by a keyed hash, whose key stays
with the cohort (`service.fetch.ledger`).
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, fields
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset

from inference.dicom_files import PARSE_ERRORS

PERSON_COLUMNS = ("group", "age", "sex", "patient_id")
_ELEMENTS = ["PatientID", "IssuerOfPatientID", "PatientAge", "PatientSex"]
_PER_YEAR = {"Y": 1.0, "M": 12.0, "W": 52.18, "D": 365.25}
_SEXES = ("M", "F")
_PSEUDONYM_CHARACTERS = 16


@dataclass(frozen=True)
class Person:
    """As the columns of the cohort's table; empty where nobody says.

    Attributes
    ----------
    age
        In years.
    sex
        ``M`` or ``F``.
    patient_id
        A pseudonym: the researcher's own, or ours.
    """

    group: str = ""
    age: str = ""
    sex: str = ""
    patient_id: str = ""

    def completed_by(self, other: Person) -> Person:
        """What is empty here, taken from another source."""
        return Person(
            **{f.name: getattr(self, f.name) or getattr(other, f.name) for f in fields(self)}
        )


UNKNOWN = Person()


def person_in(path: Path, key: bytes) -> Person:
    """Return what the header of one image says; nothing for a file that cannot be read.

    Parameters
    ----------
    key
        Of the hash that stands for the PatientID.
    """
    try:
        header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=list(_ELEMENTS))
    except PARSE_ERRORS:
        return UNKNOWN
    sex = _text(header, "PatientSex").upper()
    return Person(
        age=_years(_text(header, "PatientAge")),
        sex=sex if sex in _SEXES else "",
        patient_id=_pseudonym(header, key),
    )


def _pseudonym(header: Dataset, key: bytes) -> str:
    number = _text(header, "PatientID")
    if not number:
        return ""
    whole = f"{_text(header, 'IssuerOfPatientID')}\0{number}".encode()
    return hmac.new(key, whole, hashlib.sha256).hexdigest()[:_PSEUDONYM_CHARACTERS]


def _years(text: str) -> str:
    """Return an Age String (PS3.5 Section 6.2, such as 063Y) in years."""
    number, unit = text[:-1], text[-1:].upper()
    if unit not in _PER_YEAR or not number.isdigit():
        return ""
    return f"{int(number) / _PER_YEAR[unit]:.3g}"


def _text(header: Dataset, keyword: str) -> str:
    value = header.get(keyword)
    return "" if value is None else str(value).strip("\0 ")
