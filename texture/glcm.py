"""Grey level co-occurrence: angular second moment (energy) and joint entropy.

The matrix is symmetric: ``P(i, j)`` counts both orders of every neighbouring pair, weighted by
the length of the step. R. M. Haralick et al., IEEE Trans. SMC 3 (1973) 610-621; IBSI 8ZQL, TU9B.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from texture.compiled import compiled
from texture.directions import class_weights
from texture.settings import Weighting
from texture.sweep import CORNER_SHIFT, EDGE_SHIFT, Counts

_FEW = 8  # a power of two: a packed count is below it if all its bits above are clear
_EDGE_MASK = (1 << (CORNER_SHIFT - EDGE_SHIFT)) - 1
_FACE_MASK = (1 << EDGE_SHIFT) - 1


def energy_and_entropy(counts: Counts, weighting: Weighting) -> tuple[float, float] | None:
    """Angular second moment and joint entropy (bits); None if no voxel has a neighbour."""
    weights = class_weights(weighting)
    total, squares, logs = _cell_sums(
        counts.cells, counts.n_levels, weights, _entropy_terms(weights)
    )
    return _from_sums(total, squares, logs)


def triangle_energy_and_entropy(
    triangle: npt.NDArray[np.float64], n_levels: int
) -> tuple[float, float] | None:
    """The same of a lower triangle of already weighted pairs (order of `Counts.cells`)."""
    level = np.arange(1, n_levels + 1)
    diagonal = level * (level + 1) // 2 - 1
    on, off = 2.0 * triangle[diagonal], np.delete(triangle, diagonal)
    on, filled = on[on > 0], off[off > 0]
    total = 2 * float(filled.sum()) + float(on.sum())
    squares = 2 * float((filled**2).sum()) + float((on**2).sum())
    logs = 2 * float((filled * np.log2(filled)).sum()) + float((on * np.log2(on)).sum())
    return _from_sums(total, squares, logs)


def cooccurrence_matrix(counts: Counts, weighting: Weighting) -> npt.NDArray[np.float64]:
    """The full symmetric matrix, float64 (n_levels, n_levels)."""
    cells = counts.cells.astype(np.int64)
    face, edge = cells & _FACE_MASK, (cells >> EDGE_SHIFT) & _EDGE_MASK
    corner = cells.view(np.uint64) >> np.uint64(CORNER_SHIFT)
    weights = class_weights(weighting)
    weighted = face * weights[0] + edge * weights[1] + corner.astype(np.float64) * weights[2]
    matrix = np.zeros((counts.n_levels, counts.n_levels))
    matrix[np.tril_indices(counts.n_levels)] = weighted
    matrix += matrix.T
    return matrix


def _from_sums(total: float, squares: float, logs: float) -> tuple[float, float] | None:
    if total == 0:
        return None
    return squares / (total * total), float(np.log2(total)) - logs / total


def _entropy_terms(weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """``w log2 w`` for small counts: most cells of a fine matrix hold one pair or two.

    Entry ``(face * 8 + edge) * 8 + corner``, shape (512,).
    """
    few = np.arange(_FEW, dtype=np.float64)
    w: npt.NDArray[np.float64] = (
        few[:, None, None] * weights[0]
        + few[None, :, None] * weights[1]
        + few[None, None, :] * weights[2]
    )
    w[0, 0, 0] = 1.0
    return np.ravel(w * np.log2(w))


@compiled
def _weigh(packed: np.uint64, weights: npt.NDArray[np.float64]) -> Any:
    face = np.int64(packed & np.uint64(_FACE_MASK))
    edge = np.int64((packed >> np.uint64(EDGE_SHIFT)) & np.uint64(_EDGE_MASK))
    corner = np.int64(packed >> np.uint64(CORNER_SHIFT))
    return face * weights[0] + edge * weights[1] + corner * weights[2]


@compiled
def _row_sums(
    filled: npt.NDArray[np.uint64],
    n_filled: np.uintp,
    weights: npt.NDArray[np.float64],
    entropy_terms: npt.NDArray[np.float64],
) -> tuple[float, float, float]:
    total = 0.0
    squares = 0.0
    logs = 0.0
    few = np.uint64(_FEW)
    for f in range(n_filled):
        packed = filled[f]
        face = packed & np.uint64(_FACE_MASK)
        edge = (packed >> np.uint64(EDGE_SHIFT)) & np.uint64(_EDGE_MASK)
        corner = packed >> np.uint64(CORNER_SHIFT)
        w = _weigh(packed, weights)
        total += w
        squares += w * w
        if (face | edge | corner) < few:
            logs += entropy_terms[(face * few + edge) * few + corner]
        else:
            logs += w * np.log2(w)
    return total, squares, logs


@compiled
def _cell_sums(
    cells: npt.NDArray[np.uint64],
    n_levels: int,
    weights: npt.NDArray[np.float64],
    entropy_terms: npt.NDArray[np.float64],
) -> tuple[float, float, float]:
    total = 0.0
    squares = 0.0
    logs = 0.0
    filled = np.empty(n_levels + 1, dtype=np.uint64)
    n = np.uintp(0)  # unsigned, so that no index is checked for being negative
    for row in range(n_levels):
        n_filled = np.uintp(0)
        for _ in range(row):
            filled[n_filled] = cells[n]
            n_filled += np.uintp(cells[n] != 0)  # no branch: which cells are empty is random
            n += np.uintp(1)
        row_total, row_squares, row_logs = _row_sums(filled, n_filled, weights, entropy_terms)
        total += 2.0 * row_total
        squares += 2.0 * row_squares
        logs += 2.0 * row_logs
        if cells[n] != 0:
            w = 2.0 * _weigh(cells[n], weights)
            total += w
            squares += w * w
            logs += w * np.log2(w)
        n += np.uintp(1)
    return total, squares, logs
