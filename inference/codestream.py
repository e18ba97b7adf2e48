"""What an encoded frame says of its own size, without decoding it."""

from __future__ import annotations

import struct
from typing import NamedTuple

_JPEG_START, _JPEG_LS_FRAME, _JPEG_SCAN, _JPEG_END = 0xD8, 0xF7, 0xDA, 0xD9
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_WITHOUT_LENGTH = frozenset((0x01, *range(0xD0, 0xD8)))
_J2K_START = b"\xff\x4f\xff\x51"
_RLE_HEADER_BYTES = 64
_RLE_WORST_GROWTH = 2
"""The worst encoder spends two bytes on every byte (Part 5, G.3.1)."""


class FrameSize(NamedTuple):
    """Size of one frame."""

    rows: int
    columns: int
    components: int

    def __str__(self) -> str:
        return f"{self.rows} x {self.columns} pixels of {self.components} component(s)"


def frame_size(data: bytes) -> FrameSize | None:
    """Size in a JPEG, JPEG-LS or JPEG 2000 codestream; None if it shows none."""
    try:
        return _jpeg_size(data) if data[:2] == b"\xff\xd8" else _jpeg_2000_size(data)
    except (struct.error, IndexError):
        return None


def rle_is_plausible(encoded_bytes: int, frame_bytes: int) -> bool:
    """Whether a run length encoded frame is no longer than an encoder would ever make it."""
    return encoded_bytes <= _RLE_HEADER_BYTES + 32 + frame_bytes * _RLE_WORST_GROWTH


def _jpeg_size(data: bytes) -> FrameSize | None:
    """Walk the marker segments up to the frame header (ITU-T T.81 B.2, T.87 C.2)."""
    at = 2
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            return None
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
        elif marker in _JPEG_WITHOUT_LENGTH:
            at += 2
        elif marker in _JPEG_FRAMES or marker == _JPEG_LS_FRAME:
            return FrameSize(*struct.unpack_from(">HHB", data, at + 5))
        elif marker in (_JPEG_SCAN, _JPEG_END, _JPEG_START):
            return None
        else:
            at += 2 + struct.unpack_from(">H", data, at + 2)[0]
    return None


def _jpeg_2000_size(data: bytes) -> FrameSize | None:
    """Read the SIZ segment (ITU-T T.800 A.5.1); inside a JP2 file the largest that there is."""
    sizes = []
    at = data.find(_J2K_START)
    while at >= 0:
        x_size, y_size, x_offset, y_offset = struct.unpack_from(">4L", data, at + 8)
        (components,) = struct.unpack_from(">H", data, at + 40)
        sizes.append(FrameSize(y_size - y_offset, x_size - x_offset, components))
        at = -1 if data.startswith(_J2K_START) else data.find(_J2K_START, at + 1)
    return max(sizes, default=None, key=lambda size: size.rows * size.columns * size.components)
