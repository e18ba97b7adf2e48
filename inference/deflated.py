"""Deflated data sets (Part 5, A.5), inflated up to a limit: a few kilobytes may hold gigabytes."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from typing import BinaryIO

from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian

from inference.errors import NotAnalysable

_PREAMBLE = 128
_TRANSFER_SYNTAX_UID = 0x0010
_LONG_VRS = (b"OB", b"OW", b"SQ", b"UN", b"UT")
_LONGEST_META_BYTES = 65_536


def deflated_offset(file: BinaryIO) -> int | None:
    """Return where the deflated data set of a Part 10 file begins; None if it is not deflated.

    Raises
    ------
    struct.error
        The file meta information ends inside an element.
    """
    file.seek(0)
    head = file.read(_LONGEST_META_BYTES)
    syntax = DeflatedExplicitVRLittleEndian.encode()
    if syntax not in head or head[_PREAMBLE : _PREAMBLE + 4] != b"DICM":
        return None
    at, found = _PREAMBLE + 4, b""
    while head[at : at + 2] == b"\x02\x00":
        element = struct.unpack_from("<H", head, at + 2)[0]
        if head[at + 4 : at + 6] in _LONG_VRS:
            start, length = at + 12, struct.unpack_from("<L", head, at + 8)[0]
        else:
            start, length = at + 8, struct.unpack_from("<H", head, at + 6)[0]
        at = start + length
        if element == _TRANSFER_SYNTAX_UID:
            found = head[start:at].strip(b"\0 ")
    return at if found == syntax else None


def inflated(file: BinaryIO, offset: int, most_bytes: int) -> BytesIO:
    """Return the same file with its data set inflated, as Explicit VR Little Endian.

    Raises
    ------
    NotAnalysable
        ``limits`` if the data set is longer than `most_bytes`; hardly more is ever held.
    zlib.error
        The deflated bytes are damaged.
    EOFError
        They end too early.
    """
    data_set, has_ended = _inflate(file, offset, most_bytes + 1)
    if len(data_set) > most_bytes:
        raise NotAnalysable("limits", f"a deflated data set holds more than {most_bytes} bytes")
    if not has_ended:
        raise EOFError("ends inside the deflated data set")
    return BytesIO(_explicit_meta() + data_set)


def inflated_start(file: BinaryIO, offset: int, most_bytes: int) -> bytes:
    """Return at most the first bytes of what `inflated` would return."""
    return (_explicit_meta() + _inflate(file, offset, most_bytes)[0])[:most_bytes]


def _inflate(file: BinaryIO, offset: int, most_bytes: int) -> tuple[bytes, bool]:
    """Inflate up to `most_bytes`, and say whether that was everything."""
    file.seek(offset)
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    return stream.decompress(file.read(), most_bytes), stream.eof


def _explicit_meta() -> bytes:
    uid = ExplicitVRLittleEndian.encode()
    uid += b"\0" * (len(uid) % 2)
    element = struct.pack("<HH2sH", 2, _TRANSFER_SYNTAX_UID, b"UI", len(uid)) + uid
    group_length = struct.pack("<HH2sHL", 2, 0, b"UL", 4, len(element))
    return b"\0" * _PREAMBLE + b"DICM" + group_length + element
