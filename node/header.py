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

from pydicom.uid import UID, DeflatedExplicitVRLittleEndian

from node.errors import STATUS_CANNOT_UNDERSTAND, STATUS_DATA_SET_MISMATCH, NotAcceptable

UNDEFINED_LENGTH = 0xFFFFFFFF
LONG_VRS = frozenset((b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN"))
LONG_VRS_TEXT = frozenset((b"UR", b"UT", b"UV"))
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
    syntax = UID(transfer_syntax_uid)
    buffer = memoryview(data_set)
    if syntax == DeflatedExplicitVRLittleEndian:
        buffer = memoryview(_inflated_head(buffer))
    endian = "<" if syntax.is_little_endian else ">"
    try:
        values = _Scanner(buffer, endian).scan(syntax.is_implicit_VR)
    except (struct.error, UnicodeDecodeError) as error:
        raise NotAcceptable(STATUS_CANNOT_UNDERSTAND, "Data set is not readable") from error
    return InstanceHeader(
        SOPClassUID=_uid(values, SOP_CLASS_UID, "SOPClassUID"),
        SOPInstanceUID=_uid(values, SOP_INSTANCE_UID, "SOPInstanceUID"),
        StudyInstanceUID=_uid(values, STUDY_INSTANCE_UID, "StudyInstanceUID"),
        SeriesInstanceUID=_uid(values, SERIES_INSTANCE_UID, "SeriesInstanceUID"),
        Modality=values.get(MODALITY, "")[:16],
    )


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
        self.endian = endian
        self.at = 0

    def scan(self, implicit: bool) -> dict[int, str]:
        """Collect the wanted values up to (0020,000E), or to the end of the buffer."""
        values: dict[int, str] = {}
        last_tag = 0
        while self.at < len(self.buffer) and last_tag < SERIES_INSTANCE_UID:
            tag, length, nested_implicit = self._element(implicit)
            if tag > SERIES_INSTANCE_UID:
                break
            last_tag = max(last_tag, tag)
            if length == UNDEFINED_LENGTH:
                self._skip_undefined(nested_implicit)
            elif tag in WANTED:
                values[tag] = self._text(length)
            else:
                self._jump(length)
        return values

    def _element(self, implicit: bool) -> tuple[int, int, bool]:
        """Read one element header: tag, length, and whether its items are implicit VR."""
        group, number = struct.unpack_from(f"{self.endian}HH", self.buffer, self.at)
        tag = group << 16 | number
        if implicit or group == 0xFFFE:
            (length,) = struct.unpack_from(f"{self.endian}I", self.buffer, self.at + 4)
            self.at += 8
            return tag, length, implicit
        vr = bytes(self.buffer[self.at + 4 : self.at + 6])
        if not (vr.isalpha() and vr.isupper()):
            raise NotAcceptable(STATUS_CANNOT_UNDERSTAND, "Data set is not in its transfer syntax")
        if vr in LONG_VRS or vr in LONG_VRS_TEXT:
            (length,) = struct.unpack_from(f"{self.endian}I", self.buffer, self.at + 8)
            self.at += 12
        else:
            (length,) = struct.unpack_from(f"{self.endian}H", self.buffer, self.at + 6)
            self.at += 8
        # UN of undefined length holds implicit VR items whatever the syntax (PS3.5 6.2.2).
        return tag, length, vr == b"UN"

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
        if self.at > len(self.buffer):
            raise NotAcceptable(STATUS_CANNOT_UNDERSTAND, "Data set ends inside an element")

    def _text(self, length: int) -> str:
        start = self.at
        self._jump(length)
        return bytes(self.buffer[start : self.at]).decode("ascii").strip("\0 ")
