"""Separable cubic convolution (Keys 1981, a = -0.5) on a regular grid.

R. G. Keys, "Cubic convolution interpolation for digital image processing", IEEE Trans. ASSP 29
(1981) 1153-1160.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from texture.compiled import compiled

TAPS = 4
OUTSIDE = -1
"""Tap index that stands for a neighbour outside the array, which counts as 0 HU."""


def keys_weights(positions: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Weights of the four neighbours of each position, shape (n, 4).

    The neighbours are ``floor(x) - 1`` to ``floor(x) + 2``.
    """
    fraction = positions - np.floor(positions)
    distance = np.abs(fraction[:, None] - np.arange(-1, 3))
    near = ((1.5 * distance - 2.5) * distance) * distance + 1.0
    far = ((-0.5 * distance + 2.5) * distance - 4.0) * distance + 2.0
    return np.where(distance <= 1.0, near, np.where(distance < 2.0, far, 0.0))


def keys_taps(positions: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Indices of the four neighbours of each 0-based position, shape (n, 4)."""
    return np.floor(positions).astype(np.int64)[:, None] + np.arange(-1, 3)


def interpolate_axis(
    image: npt.NDArray[np.float64],
    axis: int,
    taps: npt.NDArray[np.int64],
    weights: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """Resample one axis of a three-dimensional image; `OUTSIDE` taps contribute nothing."""
    lead = int(np.prod(image.shape[:axis], dtype=np.int64))
    trail = int(np.prod(image.shape[axis + 1 :], dtype=np.int64))
    source = np.ascontiguousarray(image).reshape(lead, image.shape[axis], trail)
    result = np.empty((lead, taps.shape[0], trail))
    _gather(source, taps, weights, result)
    return result.reshape(*image.shape[:axis], taps.shape[0], *image.shape[axis + 1 :])


@compiled
def _gather(
    source: npt.NDArray[np.float64],
    taps: npt.NDArray[np.int64],
    weights: npt.NDArray[np.float64],
    result: npt.NDArray[np.float64],
) -> None:
    for a in range(source.shape[0]):
        for m in range(taps.shape[0]):
            for c in range(source.shape[2]):
                result[a, m, c] = 0.0
            for t in range(TAPS):
                tap = taps[m, t]
                weight = weights[m, t]
                if tap == OUTSIDE or weight == 0.0:
                    continue
                for c in range(source.shape[2]):
                    result[a, m, c] += weight * source[a, tap, c]
