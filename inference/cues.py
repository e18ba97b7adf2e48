"""What the scan says about vertebral levels, before any of it is weighed.

Ribs at a vertebra, the sacrum below the last one, the skull above the first one or its dens, the
distances between bodies and the network's own level number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from inference.dens import ends_with_dens
from inference.instances import Instance, InstanceMap
from inference.networks import Tissue
from inference.preprocess import VOXEL_MM
from inference.ribs import rib_evidence, rib_presence
from inference.sliding import VoxelPrediction

_ILIUM_LATERAL_MM = (35.0, 110.0)
_ILIUM_HEIGHT_MM = 8.0
_ILIUM_DEPTH_MM = (-10.0, 60.0)
_ILIUM_SEEN_VOXELS = 40
_ENOUGH_SEEN = 0.9
_PELVIS_MIN_ML = 40.0
"""Smaller pieces of other bone may be contrast in a kidney or the table: no evidence."""

_SACRUM_MIN_ML = 3.0
_SACRUM_REACH_MM = 70.0
_SKULL_MIN_ML = 40.0
_SKULL_HEIGHT_MM = 120.0

Tissues = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class VertebraCues:
    """Observations at one vertebra.

    Attributes
    ----------
    level_number
        The network's number, 1 for C1, 24 for L5.
    ribs
        0 to 1: how sure a rib is attached, mean of the sides in view; None if neither is.
    ilium
        0 to 1: how sure the iliac wings lie beside the body; None if they are out of view.
    to_next_mm
        Distance of the body centre to the next one below; None for the last.
    cut
        The view cuts the body, so distance and size say less.
    """

    level_number: float
    ribs: float | None
    to_next_mm: float | None
    ilium: float | None = None
    cut: bool = False


@dataclass(frozen=True)
class ColumnCues:
    """Observations along the whole column, from head to foot.

    Attributes
    ----------
    sacrum_below_mm
        Distance from the last body's centre to the sacrum; None if no sacrum was seen.
    skull_above
        Much bone of no vertebra lies above the first one: the head.
    dens_above
        The column ends inside the view as it does above C2.
    """

    vertebrae: tuple[VertebraCues, ...]
    sacrum_below_mm: float | None
    skull_above: bool
    dens_above: bool = False


def column_cues(prediction: VoxelPrediction, found: InstanceMap) -> ColumnCues:
    """Gather the cues of the vertebrae of an `InstanceMap`."""
    tissue = prediction.tissue
    if not found.instances:
        return ColumnCues((), None, skull_above=False)
    evidence = pelvis_evidence(tissue)
    ribs_near = rib_evidence(prediction, found.labels)
    rows = []
    for upper, lower in zip(found.instances, (*found.instances[1:], None), strict=True):
        gap = None
        if lower is not None:
            step = np.subtract(upper.centre, lower.centre)
            gap = float(np.linalg.norm(step)) * VOXEL_MM
        ribs = rib_presence(ribs_near, upper)
        ilium = ilium_presence(evidence, prediction.seen, upper)
        rows.append(VertebraCues(upper.level, ribs, gap, ilium, upper.touches_border))
    return ColumnCues(
        reaching_down(rows),
        sacrum_distance_mm(tissue, found.instances[-1]),
        _skull_above(tissue, found.instances[0]),
        len(rows) > 1 and ends_with_dens(prediction, *found.instances[:2]),
    )


def reaching_down(rows: Sequence[VertebraCues]) -> tuple[VertebraCues, ...]:
    """Rows whose iliac evidence goes on downwards as long as the view does.

    The iliac wings lie beside every vertebra below their crest. Bone-bright structures that end
    higher, such as kidneys full of contrast agent, are no ilium.
    """
    least = 1.0
    kept: list[VertebraCues] = []
    for row in reversed(rows):
        if row.ilium is not None:
            least = min(least, row.ilium)
            row = replace(row, ilium=least)  # noqa: PLW2901 - the row as it counts from here
        kept.append(row)
    return tuple(reversed(kept))


def pelvis_evidence(tissue: Tissues) -> npt.NDArray[np.int8]:
    """1 where other bone belongs to a piece as large as a pelvis, -1 where it is smaller."""
    pieces, count = ndimage.label(tissue == Tissue.OTHER_BONE)
    sizes = np.bincount(pieces.ravel(), minlength=count + 1) * VOXEL_MM**3 / 1000
    verdict = np.where(sizes >= _PELVIS_MIN_ML, 1, -1).astype(np.int8)
    verdict[0] = 0
    evidence: npt.NDArray[np.int8] = verdict[pieces]
    return evidence


def ilium_presence(
    evidence: npt.NDArray[np.int8], seen: npt.NDArray[np.bool_], vertebra: Instance
) -> float | None:
    """0 to 1 over the sides that are in view, at the height of the body's centre."""
    z, y, x = vertebra.centre
    tall = round(_ILIUM_HEIGHT_MM / VOXEL_MM)
    front, back = (max(0, round(y + depth / VOXEL_MM)) for depth in _ILIUM_DEPTH_MM)
    heights = slice(max(0, round(z) - tall), round(z) + tall)
    near, far = (distance / VOXEL_MM for distance in _ILIUM_LATERAL_MM)
    sides = []
    for start, stop in ((x - far, x - near), (x + near, x + far)):
        if start < 0 or stop > evidence.shape[2]:
            continue
        where = (heights, slice(front, back), slice(round(start), round(stop)))
        beside = evidence[where]
        if seen[where].mean() > _ENOUGH_SEEN and np.count_nonzero(beside < 0) < _ILIUM_SEEN_VOXELS:
            sides.append(min(1.0, np.count_nonzero(beside > 0) / _ILIUM_SEEN_VOXELS))
    return float(np.mean(sides)) if sides else None


def sacrum_component(tissue: Tissues, last: Instance) -> npt.NDArray[np.bool_]:
    """The sacrum below the last vertebra: largest connected piece within reach of its body."""
    pieces, count = ndimage.label(tissue == Tissue.SACRUM)
    sizes = np.bincount(pieces.ravel(), minlength=count + 1)
    sizes[0] = 0
    for piece in np.argsort(-sizes)[:3]:
        if sizes[piece] * VOXEL_MM**3 / 1000 < _SACRUM_MIN_ML:
            break
        where: npt.NDArray[np.bool_] = pieces == piece
        if _distance_mm(where, last) < _SACRUM_REACH_MM:
            return where
    return np.zeros(tissue.shape, dtype=bool)


def sacrum_distance_mm(tissue: Tissues, last: Instance) -> float | None:
    """Distance from the body's centre to the nearest sacrum voxel below it."""
    sacrum = sacrum_component(tissue, last)
    return _distance_mm(sacrum, last) if sacrum.any() else None


def _distance_mm(where: npt.NDArray[np.bool_], vertebra: Instance) -> float:
    points = np.argwhere(where)
    points = points[points[:, 0] < vertebra.centre[0]]
    if not len(points):
        return float("inf")
    return float(np.linalg.norm(points - np.asarray(vertebra.centre), axis=1).min()) * VOXEL_MM


def _skull_above(tissue: Tissues, first: Instance) -> bool:
    """Count other bone above the first vertebra and in front of its arch."""
    z = round(first.centre[0])
    above = tissue[z : z + round(_SKULL_HEIGHT_MM / VOXEL_MM)]
    bone = np.count_nonzero(above == Tissue.OTHER_BONE)
    return bool(bone * VOXEL_MM**3 / 1000 > _SKULL_MIN_ML)
