"""Whether a body lies wholly inside the field of view."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from inference.volume import LabelArray

_MIN_BORDER_VOXELS = 3
"""Fewer body voxels than this on the border are noise of the mask."""


def cut_by_border(bodies: LabelArray, label: int) -> bool:
    """A body has voxels on the first or last voxel layer of any axis of its array.

    A body whose endplate just reaches the last slice has no measurable height either, so touching
    counts as cut.
    """
    return any(np.count_nonzero(face == label) >= _MIN_BORDER_VOXELS for face in _faces(bodies))


def _faces(array: LabelArray) -> list[npt.NDArray[np.uint8]]:
    return [np.take(array, at, axis=axis) for axis in range(3) for at in (0, -1)]
