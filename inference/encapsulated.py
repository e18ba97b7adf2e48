"""Encapsulated PixelData (Part 5, A.4): whole, and no frame larger than its header says.

Checked before a decoder sees it, because decoders believe the codestream: a few bytes that claim
60000 x 60000 pixels would cost gigabytes, and what is cut off is filled with plausible values.
"""

from __future__ import annotations

import os
import struct
from typing import BinaryIO

from pydicom.encaps import generate_frames
from pydicom.uid import RLELossless

from inference.codestream import FrameSize, frame_size, rle_is_plausible
from inference.dicom_files import PARSE_ERRORS
from inference.errors import UnreadableInput
from inference.headers import FrameHeader

_ITEM = (0xFFFE, 0xE000)
_SEQUENCE_DELIMITER = (0xFFFE, 0xE0DD)


def require_whole_items(file: BinaryIO, offset: int, where: str) -> None:
    """Walk the fragments from `offset` to the sequence delimiter.

    Raises
    ------
    UnreadableInput
        If the file ends before.
    """
    size = os.fstat(file.fileno()).st_size
    while offset < size:
        file.seek(offset)
        head = file.read(8)
        if len(head) < 8:
            break
        group, element, length = struct.unpack("<HHL", head)
        if (group, element) == _SEQUENCE_DELIMITER:
            return
        if (group, element) != _ITEM:
            break
        offset += 8 + length
    raise UnreadableInput(f"{where}: PixelData ends before its sequence delimiter")


def require_sizes(file: BinaryIO, first: FrameHeader, offset: int, where: str) -> None:
    """Check the size of every frame of the PixelData whose value begins at `offset`.

    Raises
    ------
    UnreadableInput
        As `require_size`, or if the fragments are damaged.
    """
    file.seek(offset)
    location = first.location
    try:
        for data in generate_frames(
            file,
            number_of_frames=location.number_of_frames,
            extended_offsets=location.extended_offsets,
        ):
            require_size(data, first, where)
    except PARSE_ERRORS as error:
        raise UnreadableInput(
            f"{where}: PixelData cannot be decoded ({type(error).__name__})"
        ) from error


def require_size(data: bytes, first: FrameHeader, where: str) -> None:
    """Refuse an encoded frame that would decode to something else than the header says.

    Raises
    ------
    UnreadableInput
        Naming both sizes.
    """
    pixel_format = first.pixel_format
    if first.location.transfer_syntax == RLELossless:
        if not rle_is_plausible(len(data), pixel_format.frame_bytes):
            raise UnreadableInput(f"{where}: {len(data)} run length encoded bytes for one frame")
        return
    wanted = FrameSize(pixel_format.rows, pixel_format.columns, 1)
    size = frame_size(data)
    if size is not None and size != wanted:
        raise UnreadableInput(f"{where}: the codestream holds {size}, the header says {wanted}")
