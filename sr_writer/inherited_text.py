"""Texts of the source in the results: its own bytes, unless our own text needs a character set.

Scanners and archives write texts that do not fit the character set they declare: Latin letters
under UTF-8, Shift-JIS under JIS X 0201. Decoded and encoded anew they come out damaged, and the
patient of the result is another than that of the study.
"""

from __future__ import annotations

from pydicom.charset import python_encoding
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.tag import Tag

from sr_writer.wording import unaccented

TEXT_KEYWORDS = (
    "PatientName", "PatientID", "IssuerOfPatientID", "DeidentificationMethod", "StudyID",
    "AccessionNumber", "ReferringPhysicianName", "StudyDescription", "InstitutionName",
)  # fmt: skip
"""Texts in the source's character set that a result inherits."""

_ASCII = ("", "ISO_IR 6", "ISO 2022 IR 6")
_DAMAGED = ("\ufffd", "\x1b")
"""What decoding leaves where bytes do not fit: replacement characters and escape sequences."""


def inherit_texts(ds: Dataset, stored: Dataset, organisation: str) -> None:
    """Set the texts of a result and its Specific Character Set.

    Parameters
    ----------
    ds
        Result that has the source's Specific Character Set and decoded texts; changed in place.
    stored
        Header of the source, its texts not decoded yet.
    organisation
        Institution Name of the result; empty keeps the source's. Where it fits neither the
        declared character set nor any other, because the source's texts cannot be decoded, it
        loses its accents.
    """
    if organisation:
        if not _fits(organisation, _declared(ds)):
            if _is_sound(ds):
                # a new element: the present one is also that of the source's header
                ds.add_new("SpecificCharacterSet", "CS", "ISO_IR 192")
                ds.InstitutionName = organisation
                return
            organisation = unaccented(organisation)
        ds.InstitutionName = organisation
    for keyword in TEXT_KEYWORDS:
        if keyword in stored and not (organisation and keyword == "InstitutionName"):
            _copy_bytes(ds, stored, keyword)


def _copy_bytes(ds: Dataset, stored: Dataset, keyword: str) -> None:
    """An element that was never looked at is written as the bytes it came in."""
    value = stored.get_item(keyword).value
    if isinstance(value, bytes) and value.strip(b" \0"):
        value += b" " * (len(value) % 2)
        tag = Tag(keyword)
        ds[tag] = RawDataElement(tag, dictionary_VR(tag), len(value), value, 0, False, True)


def _declared(ds: Dataset) -> list[str]:
    """Declared character sets, unless there is nothing beyond ASCII."""
    names = ds.get("SpecificCharacterSet") or ""
    names = list(names) if isinstance(names, MultiValue) else [names]
    return [] if all(name in _ASCII for name in names) else names


def _is_sound(ds: Dataset) -> bool:
    """Whether every text could be decoded, so that it can be encoded in another way."""
    texts = [str(ds.get(keyword) or "") for keyword in TEXT_KEYWORDS]
    if not _declared(ds):
        return all(text.isascii() for text in texts)
    return not any(sign in text for text in texts for sign in _DAMAGED)


def _fits(text: str, declared: list[str]) -> bool:
    """Whether the one declared character set has every letter; code extensions are left alone."""
    if text.isascii() or len(declared) != 1:
        return text.isascii()
    try:
        text.encode(python_encoding.get(declared[0], "ascii"))
    except UnicodeEncodeError:
        return False
    return True
