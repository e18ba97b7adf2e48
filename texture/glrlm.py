"""Grey level run lengths: short and long run emphasis, run length non-uniformity, percentage.

All four need only how many runs of each length there are, never the levels. M. M. Galloway,
Comput. Graph. Image Process. 4 (1975) 172-179; IBSI 22OV, W4KF, IC23, 9ZK5.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from texture.compiled import compiled
from texture.directions import DIRECTIONS_KJI, direction_weights
from texture.settings import Weighting


@dataclass(frozen=True)
class RunFeatures:
    """Run length features; RLN is the normalised form, in (0, 1]."""

    sre: float
    lre: float
    rln: float
    rp: float


def run_features(runs_by_length: npt.NDArray[np.float64]) -> RunFeatures:
    """Features of weighted run counts; entry j counts the runs of j voxels, entry 0 is unused."""
    share = runs_by_length[1:] / runs_by_length[1:].sum()
    length = np.arange(1, share.size + 1, dtype=np.float64)
    return RunFeatures(
        sre=float((share / length**2).sum()),
        lre=float((share * length**2).sum()),
        rln=float((share * share).sum()),
        rp=1.0 / float((share * length).sum()),
    )


def merge_directions(runs: npt.NDArray[np.int64], weighting: Weighting) -> npt.NDArray[np.float64]:
    """Weighted sum over the 13 directions of runs (13, longest + 1)."""
    weighted = direction_weights(weighting)[:, None] * runs
    return np.asarray(weighted.sum(axis=0))


def run_length_matrix(
    levels: npt.NDArray[np.uint16], n_levels: int, weighting: Weighting
) -> npt.NDArray[np.float64]:
    """The full matrix, float64 (n_levels, longest): weighted runs per level and length.

    `levels` is bordered as in `texture.sweep`; the features do not need this matrix.
    """
    strides = np.array([levels.shape[1] * levels.shape[2], levels.shape[2], 1], dtype=np.int64)
    runs = np.zeros((len(DIRECTIONS_KJI), n_levels, max(levels.shape)), dtype=np.int64)
    _count_runs(levels.reshape(-1), DIRECTIONS_KJI @ strides, runs)
    matrix = np.tensordot(direction_weights(weighting), runs, axes=1)
    longest = int(np.flatnonzero(matrix.any(axis=0))[-1]) + 1 if matrix.any() else 0
    return matrix[:, :longest]


@compiled
def _count_runs(
    levels: npt.NDArray[np.uint16],
    offsets: npt.NDArray[np.int64],
    runs: npt.NDArray[np.int64],
) -> None:
    for x in range(levels.size):
        if levels[x] == 0:
            continue
        for d in range(offsets.size):
            if levels[x - offsets[d]] == levels[x]:
                continue
            length = 1
            y = x + offsets[d]
            while levels[y] == levels[x]:
                length += 1
                y += offsets[d]
            runs[d, levels[x] - 1, length - 1] += 1
