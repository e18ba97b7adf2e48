"""Whether a body lies wholly inside the field of view."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from inference.volume import LabelArray

_MIN_BORDER_VOXELS = 3
"""Fewer body voxels than this on the border are noise of the mask."""


def cut_by_view(bodies: LabelArray, label: int, seen: tuple[int, int]) -> bool:
    """A body has voxels where the array ends, or where padding begins.

    A body whose endplate just reaches the last slice has no measurable height either, so touching
    counts as cut. So does touching the slice beside padding: resampling blends the two.

    Parameters
    ----------
    bodies
        uint8 in canonical order (`inference.axes`).
    seen
        First slice along axis 0 that is not padding, and one past the last.
    """
    first, stop = seen
    padded = bodies[: first + 1 + (first > 0)], bodies[max(0, stop - 1 - (stop < len(bodies))) :]
    return any(
        np.count_nonzero(part == label) >= _MIN_BORDER_VOXELS for part in (*padded, *_faces(bodies))
    )


def _faces(array: LabelArray) -> list[npt.NDArray[np.uint8]]:
    return [np.take(array, at, axis=axis) for axis in (1, 2) for at in (0, -1)]
