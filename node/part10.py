"""DICOM files (PS3.10): our file meta information in front of untouched data set bytes."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from pynetdicom import PYNETDICOM_IMPLEMENTATION_UID, PYNETDICOM_IMPLEMENTATION_VERSION

from node.errors import STATUS_CANNOT_UNDERSTAND, NotAcceptable
from node.header import InstanceHeader, read_header

PREAMBLE: Final = b"\0" * 128 + b"DICM"
LONG_VRS: Final = (b"OB", b"UN", b"OW", b"SQ", b"UT")
MAX_META_BYTES: Final = 65_536
TRANSFER_SYNTAX_UID: Final = 0x0010
SOURCE_AE_TITLE: Final = 0x0016
# CT scanners write a few kilobytes before the pixels; a megabyte leaves room for private blocks.
HEAD_BYTES: Final = 2**20


@dataclass(frozen=True)
class FileIdentity:
    """What a Part 10 file says of itself, and where its data set begins (byte offset)."""

    header: InstanceHeader
    transfer_syntax_uid: str
    data_set_offset: int
    calling_ae_title: str = ""


def file_prefix(
    sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str, calling_ae_title: str = ""
) -> bytes:
    """Return preamble, prefix and file meta information to write before a data set.

    Encoded here (PS3.10 Section 7.1, Explicit VR Little Endian): once per received instance a
    general writer costs more than everything else together.
    """
    before, behind = _meta_around(sop_class_uid, transfer_syntax_uid, calling_ae_title)
    meta = before + _short_element(0x0003, b"UI", sop_instance_uid) + behind
    return PREAMBLE + struct.pack("<HH2sHI", 2, 0x0000, b"UL", 4, len(meta)) + meta


@lru_cache(maxsize=64)
def _meta_around(
    sop_class_uid: str, transfer_syntax_uid: str, calling_ae_title: str
) -> tuple[bytes, bytes]:
    """Return the elements before and behind the SOPInstanceUID, the same for a whole series."""
    version = struct.pack("<HH2sHI", 2, 0x0001, b"OB", 0, 2) + b"\0\1"
    behind = (
        _short_element(TRANSFER_SYNTAX_UID, b"UI", transfer_syntax_uid)
        + _short_element(0x0012, b"UI", str(PYNETDICOM_IMPLEMENTATION_UID))
        + _short_element(0x0013, b"SH", PYNETDICOM_IMPLEMENTATION_VERSION)
    )
    if calling_ae_title:
        behind += _short_element(SOURCE_AE_TITLE, b"AE", calling_ae_title)
    return version + _short_element(0x0002, b"UI", sop_class_uid), behind


def _short_element(element: int, vr: bytes, text: str) -> bytes:
    value = text.encode("ascii", "replace")
    if len(value) % 2:
        value += b"\0" if vr == b"UI" else b" "
    return struct.pack("<HH2sH", 2, element, vr, len(value)) + value


def identify(path: Path) -> FileIdentity:
    """Return the identity of a Part 10 file, reading no more than its beginning if possible.

    Raises
    ------
    NotAcceptable
        The file is no Part 10 file, has no transfer syntax or lacks a UID.
    OSError
        The file cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
        meta, offset = _meta_elements(head)
        syntax = _transfer_syntax(meta)
        try:
            header = read_header(memoryview(head)[offset:], syntax)
        except NotAcceptable:
            header = read_header(memoryview(head + file.read())[offset:], syntax)
    calling = meta.get(SOURCE_AE_TITLE, b"").decode("ascii", "replace").strip("\0 ")
    return FileIdentity(header, syntax, offset, calling)


def parse_meta(head: bytes) -> tuple[str, int]:
    """Return transfer syntax UID and data set offset from the beginning of a Part 10 file."""
    meta, offset = _meta_elements(head)
    return _transfer_syntax(meta), offset


def _transfer_syntax(meta: dict[int, bytes]) -> str:
    try:
        syntax = meta.get(TRANSFER_SYNTAX_UID, b"").decode("ascii").strip("\0 ")
    except UnicodeDecodeError as error:
        raise NotAcceptable(STATUS_CANNOT_UNDERSTAND, "File meta is damaged") from error
    if not syntax:
        raise NotAcceptable(STATUS_CANNOT_UNDERSTAND, "File meta is damaged")
    return syntax


def _meta_elements(head: bytes) -> tuple[dict[int, bytes], int]:
    """Return the values by element number, and the data set offset."""
    if head[128:132] != b"DICM":
        raise NotAcceptable(STATUS_CANNOT_UNDERSTAND, "Not a DICOM Part 10 file")
    values: dict[int, bytes] = {}
    at = 132
    try:
        while head[at : at + 2] == b"\x02\x00":
            element = struct.unpack_from("<H", head, at + 2)[0]
            if head[at + 4 : at + 6] in LONG_VRS:
                start, length = at + 12, struct.unpack_from("<I", head, at + 8)[0]
            else:
                start, length = at + 8, struct.unpack_from("<H", head, at + 6)[0]
            at = start + length
            if at > MAX_META_BYTES:
                break
            values[element] = head[start:at]
    except struct.error as error:
        raise NotAcceptable(STATUS_CANNOT_UNDERSTAND, "File meta is damaged") from error
    if at > min(len(head), MAX_META_BYTES):
        raise NotAcceptable(STATUS_CANNOT_UNDERSTAND, "File meta is damaged")
    return values, at
