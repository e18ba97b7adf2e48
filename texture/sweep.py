"""One pass over a region that counts co-occurrences and runs in all 13 directions.

Counts are integers, so nothing depends on the order of the sweep: a flipped or transposed
region gives the same bits. The three step lengths (face, edge, corner) share one 64-bit cell
per pair of levels, 21 + 22 + 21 bits wide.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from texture.compiled import compiled
from texture.directions import DIRECTIONS_KJI, STEP_CLASS

EDGE_SHIFT = 21
CORNER_SHIFT = 43
PACKED_VOXELS = (2**21 - 1) // 4
"""Largest region whose counts fit the packed cells: a corner cell takes up to 4 per voxel."""

_INCREMENT = np.array([1, 1 << EDGE_SHIFT, 1 << CORNER_SHIFT], dtype=np.uint64)


@dataclass(frozen=True)
class Counts:
    """What the sweep found.

    Attributes
    ----------
    cells
        uint64, lower triangle of the level pairs row by row: entry ``j (j - 1) / 2 + i - 1`` for
        levels ``j >= i``, unordered neighbour pairs, packed by step length.
    runs
        int64 (13, longest + 1): maximal runs per direction and length in voxels.
    n_levels, n_voxels
        Grey levels, and voxels of the region.
    """

    cells: npt.NDArray[np.uint64]
    runs: npt.NDArray[np.int64]
    n_levels: int
    n_voxels: int


def sweep(
    levels: npt.NDArray[np.uint16],
    n_levels: int,
    directions: npt.NDArray[np.int64] | None = None,
) -> Counts:
    """Count pairs and runs of a bordered level array (`texture.discretise`).

    Parameters
    ----------
    levels
        uint16 (k, j, i), 0 outside the region, with a border of zeros one voxel wide.
    directions
        Indices into `DIRECTIONS_KJI`; None means all 13.

    Raises
    ------
    OverflowError
        If the region is too large for packed counts of several directions at once
        (`PACKED_VOXELS`); sweep one direction at a time then.
    """
    chosen = np.arange(len(DIRECTIONS_KJI)) if directions is None else directions
    n_voxels = int(np.count_nonzero(levels))
    if n_voxels > PACKED_VOXELS and chosen.size > 1:
        raise OverflowError(f"{n_voxels} voxels exceed the packed counts ({PACKED_VOXELS})")
    strides = np.array([levels.shape[1] * levels.shape[2], levels.shape[2], 1], dtype=np.int64)
    offsets = (DIRECTIONS_KJI[chosen] @ strides).astype(np.uintp)
    cells = np.zeros(n_levels * (n_levels + 1) // 2, dtype=np.uint64)
    runs = np.zeros((chosen.size, max(levels.shape) + 1), dtype=np.int64)
    increments = _INCREMENT[STEP_CLASS[chosen]] if chosen.size > 1 else _INCREMENT[:1]
    _count(levels.reshape(-1), offsets, increments, cells, runs)
    lengths = np.arange(runs.shape[1])
    runs[:, 1] = n_voxels - runs[:, 2:] @ lengths[2:]
    return Counts(cells, runs, n_levels, n_voxels)


@compiled
def _count(
    levels: npt.NDArray[np.uint16],
    offsets: npt.NDArray[np.uintp],
    increments: npt.NDArray[np.uint64],
    cells: npt.NDArray[np.uint64],
    runs: npt.NDArray[np.int64],
) -> None:
    n_directions = np.uintp(offsets.size)  # unsigned: no index is checked for being negative
    for x in range(np.uintp(levels.size)):
        level = levels[x]
        if level == 0:
            continue
        for d in range(n_directions):
            offset = offsets[d]
            neighbour = levels[x + offset]
            if neighbour == 0:
                continue
            upper = np.uintp(max(level, neighbour))
            lower = np.uintp(min(level, neighbour))
            cells[(upper * (upper - np.uintp(1)) >> np.uintp(1)) + lower - np.uintp(1)] += (
                increments[d]
            )
            if neighbour == level and levels[x - offset] != level:
                length = np.uintp(2)
                y = x + offset + offset
                while levels[y] == level:
                    length += np.uintp(1)
                    y += offset
                runs[d, length] += 1
