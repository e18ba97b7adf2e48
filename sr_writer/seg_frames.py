"""Frames of a SEG from its bytes, by the standard alone: independent of the library that wrote it.

Sources: PS3.5 8.1.1 and annex D (bits of a BINARY frame, lowest bit first, frames not padded to
bytes), PS3.3 C.7.6.16.2 (functional groups), C.8.20 (Segmentation).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class SegFrame:
    """One frame of one segment.

    Attributes
    ----------
    mask
        bool (rows, columns).
    position_lps_mm
        Centre of the frame's first pixel.
    source_uid, source_frame
        The source image that the frame is derived from; frame number None for single-frame.
    """

    segment: int
    mask: npt.NDArray[np.bool_]
    position_lps_mm: FloatArray
    source_uid: str
    source_frame: int | None


def plane_axes_mm(seg: Dataset) -> tuple[FloatArray, FloatArray]:
    """LPS vectors of one step down the rows and one step along the columns (C.7.6.2.1.1)."""
    orientation = np.array(
        functional_group(seg, 0, "PlaneOrientationSequence").ImageOrientationPatient,
        dtype=np.float64,
    )
    spacing = functional_group(seg, 0, "PixelMeasuresSequence").PixelSpacing
    row_mm, column_mm = (float(v) for v in spacing)
    return orientation[3:] * row_mm, orientation[:3] * column_mm


def seg_frames(seg: Dataset) -> Iterator[SegFrame]:
    """Frames in stored order; a label map yields one frame per segment present in it."""
    for number in range(int(seg.NumberOfFrames)):
        plane = functional_group(seg, number, "PlanePositionSequence")
        position = np.array(plane.ImagePositionPatient, dtype=np.float64)
        uid, frame = _source(functional_group(seg, number, "DerivationImageSequence"))
        for segment, mask in _masks(seg, number):
            yield SegFrame(segment, mask, position, uid, frame)


def functional_group(seg: Dataset, number: int, keyword: str) -> Dataset:
    """Return the group that holds for a frame: its own, or the one shared by all frames."""
    own = seg.PerFrameFunctionalGroupsSequence[number]
    items = own.get(keyword) or seg.SharedFunctionalGroupsSequence[0].get(keyword)
    return items[0] if items else Dataset()


def _masks(seg: Dataset, number: int) -> Iterator[tuple[int, npt.NDArray[np.bool_]]]:
    shape = (int(seg.Rows), int(seg.Columns))
    size = shape[0] * shape[1]
    if seg.BitsAllocated == 1:
        group = functional_group(seg, number, "SegmentIdentificationSequence")
        segment = int(group.ReferencedSegmentNumber)
        yield segment, _bits(seg.PixelData, number * size, size).reshape(shape)
        return
    stored = np.frombuffer(seg.PixelData, np.uint8, count=size, offset=number * size)
    for value in np.flatnonzero(np.bincount(stored, minlength=256)):
        if value != 0:
            yield int(value), (stored == value).reshape(shape)


def _bits(data: bytes, first: int, count: int) -> npt.NDArray[np.bool_]:
    start, end = first // 8, (first + count + 7) // 8
    packed = np.frombuffer(data, np.uint8, count=end - start, offset=start)
    bits = np.unpackbits(packed, bitorder="little")
    return bits[first - 8 * start : first - 8 * start + count].astype(np.bool_)


def _source(derivation: Dataset) -> tuple[str, int | None]:
    """Return the single source image of a frame; empty where the frame names none or several."""
    sources = derivation.get("SourceImageSequence", [])
    if len(sources) != 1:
        return "", None
    frame = sources[0].get("ReferencedFrameNumber")
    return str(sources[0].ReferencedSOPInstanceUID), None if frame is None else int(frame)
