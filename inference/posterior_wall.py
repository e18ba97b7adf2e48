"""The posterior wall of a vertebral body, and what lies behind it.

Where a body has collapsed it is no thicker than its pedicles, and no depth tells them apart. But
in the middle of the vertebra the canal separates the body from the arch: the body ends there,
and what lies further back at its sides is pedicle.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from inference.components import largest_component

SLAB_HALF_MM = 4.0
BIN_MM = 1.0
FILLED_SHARE = 0.2
"""Of the fullest place along the depth of the body: emptier places belong to the canal."""
TOLERANCE_MM = 1.5
"""How far bone may lie behind the wall at the middle and still be body (the wall is hollow)."""
FEWEST_VOXELS = 30
LARGEST_CUT = 0.6
"""A cut that takes more than this share found no canal, and is not made."""

BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]


def without_pedicles(
    body: BoolArray, forward: FloatArray, cranial: FloatArray, spacing_kji_mm: FloatArray
) -> BoolArray:
    """The body without what lies behind its posterior wall.

    Parameters
    ----------
    body
        bool (k, j, i), a body that may still hold parts of its pedicles.
    forward, cranial
        Unit vectors in index axes scaled to mm, anterior and towards the head.

    Returns
    -------
    BoolArray
        `body` itself where no wall can be seen.
    """
    index = np.argwhere(body)
    if index.shape[0] < FEWEST_VOXELS:
        return body
    front = forward - (forward @ cranial) * cranial
    if float(np.linalg.norm(front)) < 0.3:
        return body
    front = front / np.linalg.norm(front)
    points = index * spacing_kji_mm
    depth, side = points @ front, points @ np.cross(cranial, front)
    wall = _wall(depth, side, spacing_kji_mm)
    if wall is None:
        return body
    keep = depth >= wall - TOLERANCE_MM
    if keep.mean() < 1.0 - LARGEST_CUT:
        return body
    kept = np.zeros_like(body)
    kept[tuple(index[keep].T)] = True
    return largest_component(kept)


def _wall(depth: FloatArray, side: FloatArray, spacing: FloatArray) -> float | None:
    """Depth at which the mid-sagittal slab's bone ends towards the canal."""
    half = max(SLAB_HALF_MM, 0.6 * float(spacing.max()))
    in_front = depth >= np.median(depth)
    # the pedicles are symmetric, but a scan or a mask may cut one: the front alone says the middle
    middle = 0.5 * (np.percentile(side[in_front], 5) + np.percentile(side[in_front], 95))
    slab = depth[np.abs(side - middle) <= half]
    if slab.size < FEWEST_VOXELS:
        return None
    step = max(BIN_MM, float(spacing.max()))
    edges = np.arange(slab.min(), slab.max() + step, step)
    if edges.size < 4:
        return None
    filled = np.histogram(slab, edges)[0]
    full = filled > FILLED_SHARE * filled.max()
    at = int(filled.argmax())
    while at > 0 and full[at - 1]:
        at -= 1
    return float(edges[at])
