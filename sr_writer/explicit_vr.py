"""Data elements as bytes: Explicit VR Little Endian with defined lengths (PS3.5 7.1.2, 7.5, A.2).

For the thousands of small items that a multi-frame object repeats per frame; everything else is
left to pydicom. Text is ASCII: UIDs, codes and numbers.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.valuerep import DS

_ITEM_TAG = struct.pack("<HH", 0xFFFE, 0xE000)
_BINARY = {"US": "<H", "UL": "<L"}


def element(keyword: str, *values: str | int | float) -> bytes:
    """One data element with one or more values of the VR that the dictionary names."""
    tag, vr = _tag_and_vr(keyword)
    if vr in _BINARY:
        content = b"".join(struct.pack(_BINARY[vr], value) for value in values)
    elif vr == "DS":
        content = _text([str(DS(value, auto_format=True)) for value in values], b" ")
    else:
        content = _text([str(value) for value in values], b"\0" if vr == "UI" else b" ")
    return tag + vr.encode("ascii") + struct.pack("<H", len(content)) + content


def sequence(keyword: str, items: Iterable[bytes]) -> bytes:
    """One sequence element of items whose content is encoded already."""
    tag, vr = _tag_and_vr(keyword)
    content = sequence_value(items)
    return tag + vr.encode("ascii") + struct.pack("<HL", 0, len(content)) + content


def sequence_value(items: Iterable[bytes]) -> bytes:
    """Value of a sequence: its items with their headers."""
    return b"".join(_ITEM_TAG + struct.pack("<L", len(item)) + item for item in items)


def _text(values: list[str], padding: bytes) -> bytes:
    content = "\\".join(values).encode("ascii")
    return content + padding * (len(content) % 2)


def _tag_and_vr(keyword: str) -> tuple[bytes, str]:
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise ValueError(f"no such keyword in the data dictionary: {keyword}")
    return struct.pack("<HH", tag >> 16, tag & 0xFFFF), dictionary_VR(tag)
