"""Frames of a SEG from its bytes, by the standard alone: independent of the library that wrote it.

Sources: PS3.5 8.1.1 and annex D (bits of a BINARY frame, lowest bit first, frames not padded to
bytes), PS3.3 C.7.6.16.2 (functional groups), C.8.20 (Segmentation).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from sr_writer.stored_items import StoredItem, stored_items

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.intp]
PlaneAxes = tuple[FloatArray, FloatArray]
"""One step down the rows and one along the columns."""


@dataclass(frozen=True)
class SegFrame:
    """One frame of one segment.

    Attributes
    ----------
    rows, columns
        Of its voxels, (n,) each.
    position_lps_mm
        Centre of the frame's first pixel.
    source_uid, source_frame
        The source image that the frame is derived from; frame number None for single-frame.
    """

    segment: int
    rows: IndexArray
    columns: IndexArray
    position_lps_mm: FloatArray
    source_uid: str
    source_frame: int | None


def plane_axes_mm(seg: Dataset) -> PlaneAxes:
    """LPS vectors of one step down the rows and one step along the columns (C.7.6.2.1.1)."""
    group = _groups(seg)[0]
    orientation = np.array(group.of("PlaneOrientationSequence").ImageOrientationPatient)
    row_mm, column_mm = group.of("PixelMeasuresSequence").PixelSpacing
    return orientation[3:] * row_mm, orientation[:3] * column_mm


def seg_frames(seg: Dataset) -> Iterator[SegFrame]:
    """Frames in stored order; a label map yields one frame per segment present in it.

    `seg` was just read from a file.
    """
    groups = _groups(seg)
    for number in range(int(seg.NumberOfFrames)):
        group = groups[number]
        position = np.array(group.of("PlanePositionSequence").ImagePositionPatient)
        uid, frame = _source(group)
        for segment, flat in _voxels(seg, number, group):
            rows, columns = np.divmod(flat, int(seg.Columns))
            yield SegFrame(segment, rows, columns, position, uid, frame)


@dataclass(frozen=True)
class _Groups:
    """Functional groups of one frame."""

    own: StoredItem
    shared: StoredItem

    def of(self, keyword: str) -> Any:
        """The frame's own group, or the one shared by all frames; empty without either."""
        items = self.own.get(keyword) or self.shared.get(keyword)
        return items[0] if items else StoredItem(b"")


def _groups(seg: Dataset) -> list[_Groups]:
    """Functional groups of every frame of a SEG that was just read from a file."""
    (shared,) = stored_items(seg, "SharedFunctionalGroupsSequence")
    return [_Groups(own, shared) for own in stored_items(seg, "PerFrameFunctionalGroupsSequence")]


def _voxels(seg: Dataset, number: int, group: _Groups) -> Iterator[tuple[int, IndexArray]]:
    """Segment, and place in the frame of its voxels."""
    size = int(seg.Rows) * int(seg.Columns)
    if seg.BitsAllocated == 1:
        segment = int(group.of("SegmentIdentificationSequence").ReferencedSegmentNumber)
        yield segment, _set_bits(seg.PixelData, number * size, size)
        return
    stored = np.frombuffer(seg.PixelData, np.uint8, count=size, offset=number * size)
    for value in np.flatnonzero(np.bincount(stored, minlength=256)):
        if value != 0:
            yield int(value), np.flatnonzero(stored == value)


def _set_bits(data: bytes, first: int, count: int) -> IndexArray:
    """Which of `count` bits from bit `first` on are set; most bytes hold none."""
    start, end = first // 8, (first + count + 7) // 8
    packed = np.frombuffer(data, np.uint8, count=end - start, offset=start)
    held = np.flatnonzero(packed)
    byte, bit = np.nonzero(np.unpackbits(packed[held, None], axis=1, bitorder="little"))
    places = 8 * (start + held[byte]) + bit - first
    return places[(places >= 0) & (places < count)]


def _source(group: _Groups) -> tuple[str, int | None]:
    """Return the single source image of a frame; empty where the frame names none or several."""
    sources = group.of("DerivationImageSequence").get("SourceImageSequence", [])
    if len(sources) != 1:
        return "", None
    frame = sources[0].get("ReferencedFrameNumber")
    return str(sources[0].ReferencedSOPInstanceUID), None if frame is None else int(frame)
