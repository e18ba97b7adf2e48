"""Read the few identifying elements of an encoded data set, and nothing else.

A flat scanner instead of a general parser: it never decodes values it does not need, never
recurses, checks every length against the buffer and stops before the pixels, so a hostile or
torn data set costs one bounded pass and ends in `NotAcceptable` (PS3.5 Sections 7.1 to 7.5).
"""

from __future__ import annotations

import re
import struct
import zlib
from dataclasses import dataclass
from functools import lru_cache

from pydicom.uid import UID, DeflatedExplicitVRLittleEndian

from node.errors import STATUS_CANNOT_UNDERSTAND, STATUS_DATA_SET_MISMATCH, NotAcceptable

UNDEFINED_LENGTH = 0xFFFFFFFF
LONG_VRS = frozenset(
    (b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV")
)
SHORT_VRS = frozenset(
    (
        *(b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FD", b"FL", b"IS", b"LO"),
        *(b"LT", b"PN", b"SH", b"SL", b"SS", b"ST", b"TM", b"UI", b"UL", b"US"),
    )
)
# Element headers (PS3.5 Section 7.1) by byte order: with VR, without, and a length of its own.
FORMS = {
    endian: (
        struct.Struct(f"{endian}HH2sH"),
        struct.Struct(f"{endian}HHI"),
        struct.Struct(f"{endian}I"),
    )
    for endian in "<>"
}
MAX_NESTING = 64
# Wider than PS3.5 Section 9.1 (some devices use letters), but nothing that could forge a log line.
UID_TEXT = re.compile(r"[0-9A-Za-z._-]{1,64}")
INFLATED_HEADER_BYTES = 4 * 2**20

ITEM = 0xFFFEE000
ITEM_END = 0xFFFEE00D
SEQUENCE_END = 0xFFFEE0DD

SOP_CLASS_UID = 0x00080016
SOP_INSTANCE_UID = 0x00080018
MODALITY = 0x00080060
STUDY_INSTANCE_UID = 0x0020000D
SERIES_INSTANCE_UID = 0x0020000E
WANTED = frozenset(
    (SOP_CLASS_UID, SOP_INSTANCE_UID, MODALITY, STUDY_INSTANCE_UID, SERIES_INSTANCE_UID)
)


@dataclass(frozen=True)
class InstanceHeader:
    """Identity of one instance, DICOM keywords as in PS3.6; `Modality` may be empty."""

    SOPClassUID: str
    SOPInstanceUID: str
    StudyInstanceUID: str
    SeriesInstanceUID: str
    Modality: str


def read_header(data_set: bytes | memoryview, transfer_syntax_uid: str) -> InstanceHeader:
    """Return the identity of an encoded data set (without file meta information).

    Raises
    ------
    NotAcceptable
        0xC000 if the encoding is broken before the UIDs, 0xA900 if a UID is missing.
    """
    endian, implicit = _encoding(transfer_syntax_uid)
    buffer = memoryview(data_set)
    if transfer_syntax_uid == DeflatedExplicitVRLittleEndian:
        buffer = memoryview(_inflated_head(buffer))
    try:
        values = _Scanner(buffer, endian).scan(implicit)
    except (struct.error, UnicodeDecodeError) as error:
        raise NotAcceptable(STATUS_CANNOT_UNDERSTAND, "Data set is not readable") from error
    return InstanceHeader(
        SOPClassUID=_uid(values, SOP_CLASS_UID, "SOPClassUID"),
        SOPInstanceUID=_uid(values, SOP_INSTANCE_UID, "SOPInstanceUID"),
        StudyInstanceUID=_uid(values, STUDY_INSTANCE_UID, "StudyInstanceUID"),
        SeriesInstanceUID=_uid(values, SERIES_INSTANCE_UID, "SeriesInstanceUID"),
        Modality=values.get(MODALITY, "")[:16],
    )


@lru_cache(maxsize=64)
def _encoding(transfer_syntax_uid: str) -> tuple[str, bool]:
    """Return byte order as in `FORMS`, and whether elements have no VR."""
    syntax = UID(transfer_syntax_uid)
    return "<" if syntax.is_little_endian else ">", bool(syntax.is_implicit_VR)


def _uid(values: dict[int, str], tag: int, keyword: str) -> str:
    value = values.get(tag, "")
    if not value:
        raise NotAcceptable(STATUS_DATA_SET_MISMATCH, f"{keyword} is missing or empty")
    if UID_TEXT.fullmatch(value) is None:
        raise NotAcceptable(STATUS_DATA_SET_MISMATCH, f"{keyword} is not a UID")
    return value


def _inflated_head(deflated: memoryview) -> bytes:
    """Inflate at most the first megabytes: the rest may be a decompression bomb."""
    try:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(deflated, INFLATED_HEADER_BYTES)
    except zlib.error as error:
        raise NotAcceptable(STATUS_CANNOT_UNDERSTAND, "Deflated data set is damaged") from error


class _Scanner:
    """One pass over the top-level elements, jumping over sequences without recursion."""

    def __init__(self, buffer: memoryview, endian: str) -> None:
        self.buffer = buffer
        self.end = len(buffer)
        self.at = 0
        self.short_form, self.long_form, self.long_length = FORMS[endian]

    def scan(self, implicit: bool) -> dict[int, str]:
        """Collect the wanted values up to (0020,000E), or to the end of the buffer."""
        values: dict[int, str] = {}
        last_tag = 0
        while self.at < self.end and last_tag < SERIES_INSTANCE_UID:
            tag, length, nested_implicit = self._element(implicit)
            if tag > SERIES_INSTANCE_UID:
                break
            last_tag = max(last_tag, tag)
            if length == UNDEFINED_LENGTH:
                self._skip_undefined(nested_implicit)
                continue
            start = self.at
            self._jump(length)
            if tag in WANTED:
                values[tag] = str(self.buffer[start : self.at], "ascii").strip("\0 ")
        return values

    def _element(self, implicit: bool) -> tuple[int, int, bool]:
        """Read one element header: tag, length, and whether its items are implicit VR."""
        at = self.at
        if implicit:
            group, number, length = self.long_form.unpack_from(self.buffer, at)
            self.at = at + 8
            return group << 16 | number, length, True
        group, number, vr, length = self.short_form.unpack_from(self.buffer, at)
        self.at = at + 8
        if group == 0xFFFE:
            (length,) = self.long_length.unpack_from(self.buffer, at + 4)
            return group << 16 | number, length, False
        if vr in SHORT_VRS:
            return group << 16 | number, length, False
        if not (vr.isalpha() and vr.isupper()):
            raise NotAcceptable(STATUS_CANNOT_UNDERSTAND, "Data set is not in its transfer syntax")
        if vr in LONG_VRS:
            (length,) = self.long_length.unpack_from(self.buffer, at + 8)
            self.at = at + 12
        # UN of undefined length holds implicit VR items whatever the syntax (PS3.5 6.2.2).
        return group << 16 | number, length, vr == b"UN"

    def _skip_undefined(self, implicit: bool) -> None:
        """Step to behind the delimiter of a sequence of undefined length."""
        open_levels = [(SEQUENCE_END, implicit)]
        while open_levels:
            closing_tag, is_implicit = open_levels[-1]
            tag, length, nested_implicit = self._element(is_implicit)
            if tag == closing_tag:
                open_levels.pop()
            elif length != UNDEFINED_LENGTH:
                self._jump(length)
            elif len(open_levels) >= MAX_NESTING:
                raise NotAcceptable(STATUS_CANNOT_UNDERSTAND, "Sequences nested too deeply")
            elif tag == ITEM:
                open_levels.append((ITEM_END, is_implicit))
            else:
                open_levels.append((SEQUENCE_END, nested_implicit))

    def _jump(self, length: int) -> None:
        self.at += length
        if self.at > self.end:
            raise NotAcceptable(STATUS_CANNOT_UNDERSTAND, "Data set ends inside an element")
