"""Splits whole-vertebra labels into body and posterior elements, and finds the discs between."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

_DEPTH_FRACTION = 0.62
_DEPTH_LIMIT_MM = 12.0
_GROW_BACK_MM = 4.0
"""Found on 20 vertebrae with expert body labels (Dice 0.955 to 0.963)."""

_MIN_VERTEBRA_MM3 = 1500.0
_WORKING_MM = 1.0
_DISC_REACH_MM = 38.0
_DISC_GAP_MM = 16.0
_DISC_NEIGHBOURS_MM = 55.0
_OPPOSED_COSINE = -0.55


def split_bodies(
    levels: npt.NDArray[np.uint8], spacing_mm: float
) -> tuple[Bools, dict[int, Floats]]:
    """Find the vertebral body inside every whole-vertebra label.

    The deep core that remains when the vertebra is eroded lies in the body; grown back by the
    same depth it is the body.

    Returns
    -------
    bodies
        bool, the shape of `levels`.
    centres
        Label to the body's centre as index.
    """
    bodies = np.zeros(levels.shape, dtype=bool)
    centres: dict[int, Floats] = {}
    for label, box in enumerate(ndimage.find_objects(levels), start=1):
        if box is None:
            continue
        vertebra = np.pad(levels[box] == label, 2)
        if vertebra.sum() * spacing_mm**3 < _MIN_VERTEBRA_MM3:
            continue
        body = _body_of(vertebra, spacing_mm)[2:-2, 2:-2, 2:-2]
        bodies[box] |= body
        start = np.array([side.start for side in box], dtype=np.float64)
        centres[label] = np.argwhere(body).mean(axis=0) + start
    return bodies, centres


def _body_of(vertebra: Bools, spacing_mm: float) -> Bools:
    fine = _resampled(vertebra, spacing_mm / _WORKING_MM, None)
    depth = ndimage.distance_transform_edt(fine)
    erosion = min(_DEPTH_FRACTION * float(depth.max()), _DEPTH_LIMIT_MM / _WORKING_MM)
    components, count = ndimage.label(depth > erosion)
    sizes = ndimage.sum_labels(np.ones_like(components), components, np.arange(1, count + 1))
    core = components == 1 + int(np.argmax(sizes))
    reach = ndimage.distance_transform_edt(~core)
    grown = fine & (reach <= erosion + _GROW_BACK_MM / _WORKING_MM)
    body: Bools = _resampled(grown, _WORKING_MM / spacing_mm, vertebra.shape) & vertebra
    return body


def _resampled(mask: Bools, factor: float, shape: tuple[int, ...] | None) -> Bools:
    factors = (
        [factor] * 3 if shape is None else [a / b for a, b in zip(shape, mask.shape, strict=True)]
    )
    zoomed = ndimage.zoom(mask.astype(np.float32), factors, order=1, mode="nearest", grid_mode=True)
    resampled: Bools = zoomed > 0.5
    return resampled


def discs_between(
    levels: npt.NDArray[np.uint8],
    bodies: Bools,
    centres: dict[int, Floats],
    spacing_mm: float,
) -> Bools:
    """Mark the voxels that lie between two neighbouring bodies, seen from opposite sides."""
    discs = np.zeros(levels.shape, dtype=bool)
    from_foot = sorted(centres, key=lambda label: centres[label][2])
    for lower, upper in itertools.pairwise(from_foot):
        apart = float(np.linalg.norm(centres[lower] - centres[upper])) * spacing_mm
        if apart > _DISC_NEIGHBOURS_MM:
            continue
        middle = (centres[lower] + centres[upper]) / 2
        reach = int(_DISC_REACH_MM / spacing_mm)
        box = tuple(slice(max(0, int(m) - reach), int(m) + reach) for m in middle)
        near = levels[box]
        discs[box] |= _between(
            bodies[box] & (near == lower), bodies[box] & (near == upper), spacing_mm
        )
    return discs


def _between(lower: Bools, upper: Bools, spacing_mm: float) -> Bools:
    if not (lower.any() and upper.any()):
        return np.zeros(lower.shape, dtype=bool)
    here = np.indices(lower.shape)
    down, nearest_lower = ndimage.distance_transform_edt(~lower, return_indices=True)
    up, nearest_upper = ndimage.distance_transform_edt(~upper, return_indices=True)
    product = ((nearest_lower - here) * (nearest_upper - here)).sum(axis=0)
    cosine = product / np.maximum(down * up, 1e-3)
    outside = (down > 0) & (up > 0)
    between: Bools = (
        outside & (cosine < _OPPOSED_COSINE) & ((down + up) * spacing_mm < _DISC_GAP_MM)
    )
    return between
