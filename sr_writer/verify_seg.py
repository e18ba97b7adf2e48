"""The SEG against the mask: same voxels at the same place in the patient, segment by segment."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NoReturn

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from inference.anatomy import SACRUM_LABEL, VertebraLevel
from inference.volume import CTVolume, LabelArray
from sr_writer import codes
from sr_writer.errors import VerificationFailed
from sr_writer.findings_schema import Findings
from sr_writer.mask_statistics import LabelStatistics, mask_statistics
from sr_writer.seg_frames import PlaneAxes, SegFrame, plane_axes_mm, seg_frames

CENTROID_TOLERANCE_VOXELS = 0.5
"""Of the smallest voxel edge: a shift of one slice or a mirrored mask is far outside."""


@dataclass
class _Tally:
    """Voxels of one segment seen so far."""

    voxels: int = 0
    sum_mm: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros(3))


def verify_seg(
    seg: Dataset, findings: Findings, volume: CTVolume, labels: LabelArray
) -> dict[int, str]:
    """Compare a SEG read from its bytes with the mask.

    Returns
    -------
    dict
        Segment number to structure name (``L1``, ``Sacrum``).

    Raises
    ------
    VerificationFailed
        If segments, voxel counts, centroids, order or source images differ.
    """
    masks = mask_statistics(labels)
    names = _verify_segments(seg, findings, set(masks))
    tallies = {number: _Tally() for number in names}
    axes = plane_axes_mm(seg)
    for frame in seg_frames(seg):
        name = names.get(frame.segment)
        if name is None:
            _fail(f"a frame belongs to segment {frame.segment}, which is not described")
        _add(tallies[frame.segment], frame, axes)
        _verify_source(frame, volume)
        _verify_voxels(frame, name, volume, (labels, axes))
    for number, name in names.items():
        _verify_tally(tallies[number], name, volume, masks[label_of(name)])
    return names


def label_of(name: str) -> int:
    """VerSe label of a structure name."""
    return SACRUM_LABEL if name == "Sacrum" else int(VertebraLevel.from_name(name))


def _verify_segments(seg: Dataset, findings: Findings, expected: set[int]) -> dict[int, str]:
    described = {
        int(item.SegmentNumber): str(item.SegmentLabel)
        for item in seg.SegmentSequence
        if int(item.SegmentNumber) != 0
    }
    if sorted(described) != list(range(1, len(described) + 1)):
        _fail(f"segments are numbered {sorted(described)}, not 1 to {len(described)}")
    found = {label_of(name) for name in described.values()}
    if found != expected:
        _fail(f"segments stand for labels {sorted(found)}, the mask has {sorted(expected)}")
    order = [label_of(described[number]) for number in sorted(described)]
    ranks = [99 if v == SACRUM_LABEL else VertebraLevel(v).rank for v in order]
    if ranks != sorted(ranks):
        _fail("segments are not ordered from head to foot")
    _verify_levels(seg, findings, expected)
    return described


def _verify_levels(seg: Dataset, findings: Findings, labels: set[int]) -> None:
    missing = [v.label for v in findings.vertebrae if int(v.level) not in labels]
    if missing:
        _fail(f"{', '.join(missing)} in the findings without a voxel in the mask")
    for item in seg.SegmentSequence:
        if int(item.SegmentNumber) == 0:
            continue
        code = codes.structure_code(label_of(str(item.SegmentLabel)))
        written = item.SegmentedPropertyTypeCodeSequence[0]
        if (written.CodeValue, written.CodingSchemeDesignator) != (code.value, code.scheme):
            _fail(f"{item.SegmentLabel} carries code {written.CodeValue}, expected {code.value}")


def _add(tally: _Tally, frame: SegFrame, axes: PlaneAxes) -> None:
    count = len(frame.rows)
    tally.voxels += count
    down, along = int(frame.rows.sum()) * axes[0], int(frame.columns.sum()) * axes[1]
    tally.sum_mm += count * frame.position_lps_mm + down + along


def _verify_source(frame: SegFrame, volume: CTVolume) -> None:
    """Each frame lies on the slice whose image it names."""
    k = round(float(volume.to_index_kji(frame.position_lps_mm)[0]))
    if not 0 <= k < len(volume.source.frames):
        _fail(f"a frame lies outside the volume, at slice {k}")
    source = volume.source.frames[k]
    if (frame.source_uid, frame.source_frame) != (source.SOPInstanceUID, source.frame_number):
        _fail(f"a frame on slice {k} names another source image")


def _verify_voxels(
    frame: SegFrame, name: str, volume: CTVolume, grid: tuple[LabelArray, PlaneAxes]
) -> None:
    """Every voxel, placed by the SEG's own attributes, lies in a voxel of its label."""
    labels, axes = grid
    corner = volume.to_index_kji(frame.position_lps_mm)
    down, along = (volume.to_index_kji(frame.position_lps_mm + axis) - corner for axis in axes)
    index = corner[:, None] + np.outer(down, frame.rows) + np.outer(along, frame.columns)
    k, j, i = kji = np.rint(index).astype(np.intp)
    inside = (kji >= 0).all() and (kji < np.array(labels.shape)[:, None]).all()
    if not inside or (labels[k, j, i] != label_of(name)).any():
        _fail(f"a voxel of {name} lies outside its mask")


def _verify_tally(tally: _Tally, name: str, volume: CTVolume, mask: LabelStatistics) -> None:
    if tally.voxels != mask.voxels:
        _fail(f"{name} has {tally.voxels} voxels, the mask has {mask.voxels}")
    expected = volume.to_lps_mm(mask.centroid_kji)
    distance_mm = float(np.linalg.norm(tally.sum_mm / tally.voxels - expected))
    limit_mm = CENTROID_TOLERANCE_VOXELS * min(volume.spacing_kji_mm)
    if not distance_mm <= limit_mm:
        _fail(f"{name} lies {distance_mm:.2f} mm from the mask, more than {limit_mm:.2f} mm")


def _fail(text: str) -> NoReturn:
    raise VerificationFailed("seg", text)
