"""Data elements as bytes: Explicit VR Little Endian with defined lengths (PS3.5 7.1.2, 7.5, A.2).

For what repeats by the thousand, the groups of a multi-frame object and the items of a report;
everything else is left to pydicom. Text is ASCII.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from functools import cache

from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.valuerep import DS

_ITEM_TAG = struct.pack("<HH", 0xFFFE, 0xE000)
_BINARY = {"US": "<H", "UL": "<L", "FL": "<f"}
_LONG_LENGTH = ("UT", "SQ")
"""VRs in use here whose length has 32 bits (PS3.5 Table 7.1-1)."""


def element(keyword: str, *values: str | int | float) -> bytes:
    """One data element with one or more values of the VR that the dictionary names."""
    tag, vr = _tag_and_vr(keyword)
    if vr in _BINARY:
        content = b"".join(struct.pack(_BINARY[vr], value) for value in values)
    else:
        texts = (_decimal(value) if vr == "DS" else str(value) for value in values)
        content = "\\".join(texts).encode("ascii")
        content += (b"\0" if vr == "UI" else b" ") * (len(content) % 2)
    return _element(tag, vr, content)


def sequence(keyword: str, items: Iterable[bytes]) -> bytes:
    """One sequence element of items whose content is encoded already."""
    tag, vr = _tag_and_vr(keyword)
    return _element(tag, vr, sequence_value(items))


def sequence_value(items: Iterable[bytes]) -> bytes:
    """Value of a sequence: its items with their headers."""
    return b"".join(_ITEM_TAG + struct.pack("<L", len(item)) + item for item in items)


def data_set(*elements: bytes) -> bytes:
    """Elements one after another in the order of their tags (PS3.5 7.1)."""
    ordered: list[bytes] = sorted(elements, key=_tag_order)
    return b"".join(ordered)


def set_encoded(ds: Dataset, keyword: str, value: bytes) -> None:
    """Give a data set a sequence that is encoded already.

    pydicom writes an element that was never looked at as the bytes it came in, provided that the
    data set says it was encoded like this (`sr_writer.files.save_object`).
    """
    tag = Tag(keyword)
    ds[tag] = RawDataElement(tag, "SQ", len(value), value, 0, False, True)


def _element(tag: bytes, vr: str, content: bytes) -> bytes:
    size = len(content)
    length = struct.pack("<HL", 0, size) if vr in _LONG_LENGTH else struct.pack("<H", size)
    return tag + vr.encode("ascii") + length + content


def _decimal(value: str | int | float) -> str:
    return value if isinstance(value, str) else str(DS(value, auto_format=True))


def _tag_order(encoded: bytes) -> tuple[int, int]:
    group, number = struct.unpack_from("<HH", encoded)
    return group, number


@cache
def _tag_and_vr(keyword: str) -> tuple[bytes, str]:
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise ValueError(f"no such keyword in the data dictionary: {keyword}")
    return struct.pack("<HH", tag >> 16, tag & 0xFFFF), dictionary_VR(tag)
