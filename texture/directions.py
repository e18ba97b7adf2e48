"""The 13 unique directions of the 26-neighbourhood and what a step along each weighs."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt

from texture.settings import Weighting

DIRECTIONS_KJI: npt.NDArray[np.int64] = np.array(
    [d for d in itertools.product((-1, 0, 1), repeat=3) if d > (0, 0, 0)], dtype=np.int64
)
"""Shape (13, 3): one of each +/- pair, as steps along (k, j, i)."""

STEP_CLASS: npt.NDArray[np.int64] = np.abs(DIRECTIONS_KJI).sum(axis=1) - 1
"""Shape (13,): 0 for face, 1 for edge, 2 for corner neighbours."""

_CLASS_WEIGHTS: dict[str, npt.NDArray[np.float64]] = {
    "distance": np.sqrt(np.array([1.0, 2.0, 3.0])),
    "none": np.ones(3),
}


def class_weights(weighting: Weighting) -> npt.NDArray[np.float64]:
    """Weight of face, edge and corner steps, shape (3,): 1, sqrt(2), sqrt(3), or ones."""
    return _CLASS_WEIGHTS[weighting].copy()


def direction_weights(weighting: Weighting) -> npt.NDArray[np.float64]:
    """Weight of each direction, shape (13,), in the order of `DIRECTIONS_KJI`."""
    return np.take(class_weights(weighting), STEP_CLASS)
