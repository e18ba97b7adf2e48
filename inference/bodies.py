"""Vertebral bodies cut out of whole-vertebra masks.

The body is the thickest part of a vertebra: eroding the mask by a depth that pedicles and
processes do not have leaves the body's core, and growing the core back inside the mask gives the
body, without what lies behind its posterior wall (`posterior_wall`). Everything is done in mm on
a 1 mm isotropic grid, so that 5 mm slices in any axis order erode evenly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from inference.anatomy import VertebraLevel
from inference.components import largest_component
from inference.label_boxes import Box, in_voxels, widened
from inference.normal_heights import normal_volume_ml
from inference.posterior_wall import without_pedicles
from inference.volume import Affine, LabelArray

WORKING_SPACING_MM = 1.0
EROSION_FRACTION = 0.62
"""Share of the greatest depth that is eroded."""
EROSION_LIMIT_MM = 12.0
REGROWTH_MARGIN_MM = 4.0
"""How much further than the erosion the core grows back: reaches the body's corners."""
MARGIN_MM = 3.0
SMALLEST_DEPTH_MM = 3.0
"""A mask nowhere deeper than this holds no body (processes, laminae)."""
SMALLEST_VOLUME_SHARE = 0.22
"""Of a normal body's volume: a small person's collapsed body has more, a lamina has less."""
SMALLEST_SOLIDITY = 0.36
SMALLEST_SOLIDITY_OF_SMALL = 0.44
"""Of the box around its principal axes a body fills 0.42 (C2 with its dens) to 0.8. An arch with
processes fills 0.2 to 0.26; fragments of arches, below half a body's volume, up to 0.43 (54 real
vertebrae)."""
SMALL_SHARE = 0.5

BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class _Candidate:
    """A body before it is believed: `mask` on the source grid inside `box`."""

    box: Box
    mask: BoolArray
    centre_mm: FloatArray
    """In index axes scaled to mm, of the whole grid."""
    forward_mm: FloatArray | None
    """From the rest of the vertebra to the body, in index axes scaled to mm; None without rest."""


def separate_bodies(
    labels: LabelArray,
    spacing_kji_mm: tuple[float, float, float],
    affine_lps: Affine | None = None,
) -> LabelArray:
    """Vertebral bodies of whole-vertebra masks.

    A level whose thickest part does not look like a body (fragments, posterior elements only)
    gets none, because a missing body is safer than a wrong one. The atlas (C1) has no body.

    Parameters
    ----------
    labels
        uint8 (k, j, i), VerSe labels; the sacrum and other structures are ignored.
    spacing_kji_mm
        Distance between voxel centres, in mm.
    affine_lps
        Index to LPS; if given, a body must lie in front of the rest of its vertebra. Without it
        the levels are only compared with each other.

    Returns
    -------
    LabelArray
        uint8 (k, j, i), same labels, inside `labels`.
    """
    bodies = np.zeros_like(labels)
    spacing = np.asarray(spacing_kji_mm, dtype=np.float64)
    candidates: dict[int, _Candidate] = {}
    known = {int(level) for level in VertebraLevel} - {int(VertebraLevel.C1)}
    for label, box in enumerate(ndimage.find_objects(labels), start=1):
        if box is None or label not in known:
            continue
        wide = widened(box, in_voxels(MARGIN_MM, spacing), labels.shape)
        mask = separate_body(labels[wide] == label, spacing_kji_mm)
        if mask.any():
            corner = np.array([part.start for part in wide])
            centre = (np.argwhere(mask).mean(axis=0) + corner) * spacing
            forward = _forward(labels[wide] == label, mask, spacing)
            candidates[label] = _Candidate(wide, mask, centre, forward)
    forward = _expected_forward(candidates, affine_lps, spacing)
    for label, found in candidates.items():
        if found.forward_mm is not None and float(found.forward_mm @ forward) < 0.0:
            continue
        mask = found.mask
        if found.forward_mm is not None:
            cranial = _cranial(label, candidates, affine_lps, spacing)
            mask = without_pedicles(mask, found.forward_mm, cranial, spacing)
        if _is_body_like(mask, VertebraLevel(label), spacing):
            bodies[found.box][mask] = label
    return bodies


def _cranial(
    label: int,
    candidates: dict[int, _Candidate],
    affine_lps: Affine | None,
    spacing: FloatArray,
) -> FloatArray:
    """Towards the head along the column, in index axes scaled to mm."""
    rank = VertebraLevel(label).rank
    by_rank = {VertebraLevel(other).rank: found for other, found in candidates.items()}
    above = max((other for other in by_rank if other < rank), default=rank)
    below = min((other for other in by_rank if other > rank), default=rank)
    step = by_rank[above].centre_mm - by_rank[below].centre_mm
    if float(np.linalg.norm(step)) > 1.0:
        return np.asarray(step / np.linalg.norm(step))
    if affine_lps is None:
        return np.zeros(3)
    return np.asarray((affine_lps[:3, :3] / spacing).T @ np.array([0.0, 0.0, 1.0]))


def separate_body(mask: BoolArray, spacing_kji_mm: tuple[float, float, float]) -> BoolArray:
    """Body of one vertebra's mask; empty if no part is thick enough.

    Parameters
    ----------
    mask
        bool (k, j, i), the whole vertebra. The array's faces count as continuing, so that a
        vertebra cut by the field of view keeps its depth there.
    """
    nothing = np.zeros_like(mask)
    if not mask.any() or mask.all():
        return nothing
    spacing = np.asarray(spacing_kji_mm, dtype=np.float64)
    # in finer voxels than the working grid's the distances would only cost time
    stride = np.maximum(1, (0.8 * WORKING_SPACING_MM / spacing).astype(int))
    sparse = mask[:: stride[0], :: stride[1], :: stride[2]]
    fine = _resampled(signed_distance_mm(sparse, spacing * stride), spacing * stride)
    inside = fine > 0.0
    if not inside.any() or inside.all():
        return nothing
    depth = ndimage.distance_transform_edt(inside) * WORKING_SPACING_MM
    deepest = float(depth.max())
    if deepest < SMALLEST_DEPTH_MM:
        return nothing
    erosion = min(EROSION_FRACTION * deepest, EROSION_LIMIT_MM)
    core = largest_component(depth > erosion)
    reach = ndimage.distance_transform_edt(~core) * WORKING_SPACING_MM
    margin = erosion + REGROWTH_MARGIN_MM - _at_source(reach, mask.shape, spacing)
    return largest_component(mask & (margin >= 0.0))


def signed_distance_mm(mask: BoolArray, spacing_kji_mm: npt.ArrayLike) -> FloatArray:
    """Distance to the mask's surface in mm, positive inside; the surface lies between voxels."""
    sampling = np.asarray(spacing_kji_mm, dtype=np.float64)
    inside = ndimage.distance_transform_edt(mask, sampling=sampling)
    outside = ndimage.distance_transform_edt(~mask, sampling=sampling)
    return np.asarray(inside - outside, dtype=np.float64)


def _resampled(soft: FloatArray, spacing: FloatArray) -> FloatArray:
    """The field on the working grid; first voxel centres coincide."""
    shape = np.floor((np.array(soft.shape) - 1) * spacing / WORKING_SPACING_MM).astype(int) + 1
    return np.asarray(
        ndimage.affine_transform(
            soft, WORKING_SPACING_MM / spacing, output_shape=tuple(shape), order=1, mode="nearest"
        )
    )


def _at_source(fine: FloatArray, shape: tuple[int, ...], spacing: FloatArray) -> FloatArray:
    return np.asarray(
        ndimage.affine_transform(
            fine, spacing / WORKING_SPACING_MM, output_shape=shape, order=1, mode="nearest"
        )
    )


def _is_body_like(mask: BoolArray, level: VertebraLevel, spacing: FloatArray) -> bool:
    """Large and compact enough for a body of this level."""
    volume_mm3 = float(mask.sum() * spacing.prod())
    share = volume_mm3 / 1000.0 / normal_volume_ml(level)
    if share < SMALLEST_VOLUME_SHARE:
        return False
    smallest = SMALLEST_SOLIDITY_OF_SMALL if share < SMALL_SHARE else SMALLEST_SOLIDITY
    points = np.argwhere(mask) * spacing
    points -= points.mean(axis=0)
    _, directions = np.linalg.eigh(np.cov(points.T))
    along = points @ directions
    extents = np.percentile(along, 99, axis=0) - np.percentile(along, 1, axis=0)
    # percentiles lie between voxel centres: half a voxel is missing at either end
    return volume_mm3 >= smallest * float(np.prod(extents + 0.5 * spacing.mean()))


def _forward(vertebra: BoolArray, body: BoolArray, spacing: FloatArray) -> FloatArray | None:
    rest = vertebra & ~body
    if rest.sum() < 0.1 * vertebra.sum():
        return None
    step = (np.argwhere(body).mean(0) - np.argwhere(rest).mean(0)) * spacing
    return np.asarray(step / max(float(np.linalg.norm(step)), 1e-6))


def _expected_forward(
    candidates: dict[int, _Candidate], affine_lps: Affine | None, spacing: FloatArray
) -> FloatArray:
    """Where "anterior" points in the index axes; zero when nothing says so."""
    if affine_lps is not None:
        anterior_lps = np.array([0.0, -1.0, 0.0])
        return np.asarray((affine_lps[:3, :3] / spacing).T @ anterior_lps)
    steps = [c.forward_mm for c in candidates.values() if c.forward_mm is not None]
    if len(steps) < 3:
        return np.zeros(3)
    return np.asarray(np.median(np.array(steps), axis=0))
