"""Per-frame functional groups and bits of a BINARY SEG, without a data set per frame.

A spine has many hundred frames of few, always equal elements; building and encoding them one by one
as data sets took most of the time of all outputs. The bytes are those that highdicom's data
sets encode to (PS3.3 C.7.6.16.2, C.8.20.3; PS3.5 8.1.1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from scipy import ndimage

from inference.volume import LabelArray
from sr_writer.explicit_vr import element, sequence, sequence_value

_FRAMES_AT_ONCE = 8
"""Bits of so many frames fill whole bytes, whatever the size of a frame."""

_CODE_OF_PURPOSE = ("121322", "DCM", "Source image for image processing operation")
_CODE_OF_DERIVATION = ("113076", "DCM", "Segmentation")


@dataclass(frozen=True)
class SourcePlane:
    """The source image, or frame of one, under a slice of the mask.

    Attributes
    ----------
    position_lps_mm
        Image Position (Patient).
    frame_number
        None for a single-frame image.
    """

    SOPClassUID: str
    SOPInstanceUID: str
    position_lps_mm: tuple[float, float, float]
    frame_number: int | None = None


@dataclass(frozen=True)
class SegmentFrame:
    """One frame: segment number, and slice of the mask."""

    segment: int
    k: int


@dataclass(frozen=True)
class EncodedFrames:
    """All frames as they lie in the file.

    Attributes
    ----------
    groups
        Value of the Per-Frame Functional Groups Sequence.
    bits
        Pixel Data.
    """

    count: int
    groups: bytes
    bits: bytes


def occupied_frames(numbered: LabelArray, order: Sequence[int]) -> list[SegmentFrame]:
    """Frames that hold anything: segment by segment, each in the given order of slices.

    Parameters
    ----------
    numbered
        uint8 (k, j, i) of segment numbers.
    """
    rank = {k: place for place, k in enumerate(order)}
    frames = []
    for segment, box in enumerate(ndimage.find_objects(numbered), start=1):
        if box is None:
            continue
        held = (numbered[box] == segment).any(axis=(1, 2))
        slices = (box[0].start + np.flatnonzero(held)).tolist()
        frames += [SegmentFrame(segment, k) for k in sorted(slices, key=rank.__getitem__)]
    return frames


def plane_order(
    positions_lps_mm: npt.NDArray[np.float64], orientation: Sequence[float]
) -> list[int]:
    """Slices against the normal of the image plane, as highdicom numbers them."""
    row, column = np.asarray(orientation[:3], float), np.asarray(orientation[3:], float)
    along = positions_lps_mm @ np.cross(row, column)
    return [int(k) for k in np.argsort(-along, kind="stable")]


def encoded_frames(
    numbered: LabelArray, planes: Sequence[SourcePlane], order: Sequence[int]
) -> EncodedFrames:
    """Encode all frames of a mask.

    Parameters
    ----------
    numbered
        uint8 (k, j, i) of segment numbers.
    planes
        One per slice of `numbered`.
    order
        Slices in the order of the dimension index, see `plane_order`.
    """
    frames = occupied_frames(numbered, order)
    held = {frame.k for frame in frames}
    rank = {k: place for place, k in enumerate((k for k in order if k in held), start=1)}
    of_plane = {k: (_derivation(planes[k]), _position(planes[k])) for k in held}
    items = []
    for frame in frames:
        derivation, position = of_plane[frame.k]
        index = element("DimensionIndexValues", frame.segment, rank[frame.k])
        content = sequence("FrameContentSequence", [index])
        items.append(derivation + content + position + _identification(frame.segment))
    return EncodedFrames(len(frames), sequence_value(items), frame_bits(numbered, frames))


def set_frames(seg: Dataset, frames: EncodedFrames) -> None:
    """Give a BINARY SEG its frames; it is encoded in Explicit VR Little Endian afterwards."""
    _set_encoded(seg, "PerFrameFunctionalGroupsSequence", frames.groups)
    seg.NumberOfFrames = frames.count
    seg.PixelData = frames.bits


def set_references(seg: Dataset, planes: Sequence[SourcePlane], SeriesInstanceUID: str) -> None:
    """Name every source image as such (PS3.3 C.7.6.16, C.12.1: references of the whole object)."""
    images = {
        plane.SOPInstanceUID: element("ReferencedSOPClassUID", plane.SOPClassUID)
        + element("ReferencedSOPInstanceUID", plane.SOPInstanceUID)
        for plane in planes
    }
    series = sequence("ReferencedInstanceSequence", images.values()) + element(
        "SeriesInstanceUID", SeriesInstanceUID
    )
    _set_encoded(seg, "ReferencedSeriesSequence", sequence_value([series]))
    _set_encoded(seg, "SourceImageSequence", sequence_value(images.values()))


def _set_encoded(seg: Dataset, keyword: str, value: bytes) -> None:
    """pydicom writes an element that was never looked at as the bytes it came in."""
    tag = Tag(keyword)
    seg[tag] = RawDataElement(tag, "SQ", len(value), value, 0, False, True)


def frame_bits(numbered: LabelArray, frames: Sequence[SegmentFrame]) -> bytes:
    """Bits of all frames one after another, lowest bit first, padded to an even length."""
    packed = []
    for first in range(0, len(frames), _FRAMES_AT_ONCE):
        group = frames[first : first + _FRAMES_AT_ONCE]
        bits = np.stack([numbered[frame.k] == frame.segment for frame in group])
        packed.append(np.packbits(bits, bitorder="little").tobytes())
    joined = b"".join(packed)
    return joined + b"\0" * (len(joined) % 2)


def _derivation(plane: SourcePlane) -> bytes:
    frame_number = (
        b"" if plane.frame_number is None else element("ReferencedFrameNumber", plane.frame_number)
    )
    source = (
        element("ReferencedSOPClassUID", plane.SOPClassUID)
        + element("ReferencedSOPInstanceUID", plane.SOPInstanceUID)
        + frame_number
        + element("SpatialLocationsPreserved", "YES")
        + sequence("PurposeOfReferenceCodeSequence", [_code(*_CODE_OF_PURPOSE)])
    )
    derived = sequence("SourceImageSequence", [source]) + sequence(
        "DerivationCodeSequence", [_code(*_CODE_OF_DERIVATION)]
    )
    return sequence("DerivationImageSequence", [derived])


def _position(plane: SourcePlane) -> bytes:
    return sequence(
        "PlanePositionSequence", [element("ImagePositionPatient", *plane.position_lps_mm)]
    )


def _identification(segment: int) -> bytes:
    return sequence("SegmentIdentificationSequence", [element("ReferencedSegmentNumber", segment)])


def _code(value: str, scheme: str, meaning: str) -> bytes:
    return (
        element("CodeValue", value)
        + element("CodingSchemeDesignator", scheme)
        + element("CodeMeaning", meaning)
    )
