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

from inference.label_boxes import Box, label_boxes
from inference.volume import CTVolume, LabelArray, SourceSeries
from sr_writer import codes
from sr_writer.explicit_vr import element, sequence, sequence_value
from sr_writer.references import slice_reference
from sr_writer.segments import Segment

_FRAMES_AT_ONCE = 8
"""Bits of so many frames fill whole bytes, whatever the size of a frame."""


@dataclass(frozen=True)
class SegmentFrame:
    """One frame: a segment on one slice, and the box that holds the segment."""

    segment: Segment
    k: int
    box: Box


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


def encoded_frames(
    volume: CTVolume,
    labels: LabelArray,
    segments: Sequence[Segment],
    positions_lps_mm: npt.NDArray[np.float64],
) -> EncodedFrames:
    """Encode all frames of a mask.

    Parameters
    ----------
    positions_lps_mm
        (k, 3), Image Position (Patient) of the slices.
    """
    order = _plane_order(positions_lps_mm, volume)
    frames = _occupied_frames(labels, segments, order)
    held = {frame.k for frame in frames}
    rank = {k: place for place, k in enumerate((k for k in order if k in held), start=1)}
    of_plane = {
        k: (_derivation(volume.source, k), _position(positions_lps_mm[k].tolist())) for k in held
    }
    items = []
    for frame in frames:
        derivation, position = of_plane[frame.k]
        index = element("DimensionIndexValues", frame.segment.number, rank[frame.k])
        content = sequence("FrameContentSequence", [index])
        items.append(derivation + content + position + _identification(frame.segment))
    return EncodedFrames(len(frames), sequence_value(items), _frame_bits(labels, frames))


def _plane_order(positions_lps_mm: npt.NDArray[np.float64], volume: CTVolume) -> list[int]:
    """Slices against the normal of the image plane, as highdicom numbers them."""
    row, column = volume.affine_lps[:3, 2], volume.affine_lps[:3, 1]
    along = positions_lps_mm @ np.cross(row, column)
    return [int(k) for k in np.argsort(-along, kind="stable")]


def _occupied_frames(
    labels: LabelArray, segments: Sequence[Segment], order: Sequence[int]
) -> list[SegmentFrame]:
    """Frames that hold anything: segment by segment, each in the given order of slices."""
    rank = {k: place for place, k in enumerate(order)}
    boxes = label_boxes(labels)
    frames = []
    for segment in segments:
        box = boxes[segment.label]
        held = (labels[box] == segment.label).any(axis=(1, 2))
        slices = (box[0].start + np.flatnonzero(held)).tolist()
        frames += [SegmentFrame(segment, k, box) for k in sorted(slices, key=rank.__getitem__)]
    return frames


def _frame_bits(labels: LabelArray, frames: Sequence[SegmentFrame]) -> bytes:
    """Bits of all frames one after another, lowest bit first, padded to an even length."""
    packed = []
    for first in range(0, len(frames), _FRAMES_AT_ONCE):
        group = frames[first : first + _FRAMES_AT_ONCE]
        bits = np.zeros((len(group), *labels.shape[1:]), dtype=np.bool_)
        for plane, frame in zip(bits, group, strict=True):
            _, rows, columns = frame.box
            plane[rows, columns] = labels[frame.k, rows, columns] == frame.segment.label
        packed.append(np.packbits(bits, bitorder="little").tobytes())
    joined = b"".join(packed)
    return joined + b"\0" * (len(joined) % 2)


def _derivation(source: SourceSeries, k: int) -> bytes:
    image = slice_reference(
        source,
        k,
        element("SpatialLocationsPreserved", "YES"),
        sequence("PurposeOfReferenceCodeSequence", [codes.SOURCE_IMAGE.encoded()]),
    )
    derived = sequence("SourceImageSequence", [image]) + sequence(
        "DerivationCodeSequence", [codes.SEGMENTATION.encoded()]
    )
    return sequence("DerivationImageSequence", [derived])


def _position(position_lps_mm: Sequence[float]) -> bytes:
    return sequence("PlanePositionSequence", [element("ImagePositionPatient", *position_lps_mm)])


def _identification(segment: Segment) -> bytes:
    return sequence(
        "SegmentIdentificationSequence", [element("ReferencedSegmentNumber", segment.number)]
    )
