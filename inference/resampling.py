"""Linear resampling along one axis after another, written as small matrices.

A grid cell is a box with its value at the centre, so index ``g`` of a grid with spacing ``a`` that
starts at the same edge as a grid with spacing ``b`` lies at ``(g + 0.5) * a / b - 0.5``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]


def sampling_matrix(length: int, positions: npt.NDArray[np.float64], width: float) -> FloatArray:
    """Weights (positions, length) that sample a line of `length` values.

    Parameters
    ----------
    positions
        Fractional indices to sample at; outside the line its end values continue.
    width
        Half base of the triangular kernel in source samples: 1 interpolates linearly, more
        averages and so prevents aliasing when the sampling is coarser than the source.
    """
    reach = max(width, 1.0)
    span = int(np.ceil(reach)) + 1
    offsets = np.arange(-span, span + 1)
    taps = np.floor(positions).astype(np.int64)[:, None] + offsets
    weights = np.clip(1.0 - np.abs(taps - positions[:, None]) / reach, 0.0, None)
    matrix = np.zeros((len(positions), length), dtype=np.float64)
    rows = np.broadcast_to(np.arange(len(positions))[:, None], taps.shape)
    np.add.at(matrix, (rows, np.clip(taps, 0, length - 1)), weights)
    matrix /= matrix.sum(axis=1, keepdims=True)
    return matrix.astype(np.float32)


def apply_matrices(array: FloatArray, matrices: Sequence[FloatArray]) -> FloatArray:
    """Resample a 3D array along its axes 0, 1 and 2."""
    along0, along1, along2 = matrices
    plane = np.matmul(array, along2.T)
    plane = np.matmul(along1, plane)
    flat = along0 @ plane.reshape(plane.shape[0], -1)
    return np.ascontiguousarray(flat.reshape(len(along0), *plane.shape[1:]), dtype=np.float32)


def resample_slices(
    array: npt.NDArray[np.int16], matrices: Sequence[FloatArray], floor: int
) -> FloatArray:
    """Resample an int16 volume without a float copy of it: in-plane slice by slice, then along k.

    Values below `floor` (padding of the scanner) are raised to it first.
    """
    along0, along1, along2 = matrices
    planes = np.empty((len(array), len(along1), len(along2)), dtype=np.float32)
    for k, source in enumerate(array):
        plane = np.maximum(source, floor).astype(np.float32)
        planes[k] = along1 @ plane @ along2.T
    flat = along0 @ planes.reshape(len(planes), -1)
    return np.ascontiguousarray(flat.reshape(len(along0), *planes.shape[1:]))
