"""Body centres from offset votes: every body voxel points at the centre of its own body."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from inference.networks import Tissue
from inference.preprocess import VOXEL_MM
from inference.sliding import VoxelPrediction
from inference.spinal_priors import body_volume_ml, spacing_mm

_SMOOTHING_VOXELS = 1.5
_PEAK_RADIUS_VOXELS = 2
_CAPTURE_MM = 9.0
_MIN_VOTES = 60
_MIN_SPACING_FRACTION = 0.6

Points = npt.NDArray[np.float64]


@dataclass(frozen=True)
class BodyCandidate:
    """A place many body voxels point at.

    Attributes
    ----------
    centre
        Fractional index (z, y, x) on the canonical 2 mm grid.
    votes
        Number of body voxels that point there.
    level
        Median of the network's level number over those voxels.
    """

    centre: tuple[float, float, float]
    votes: int
    level: float

    @property
    def fullness(self) -> float:
        """Volume of the voting voxels against the usual body of that level."""
        millilitres = self.votes * VOXEL_MM**3 / 1000
        return float(millilitres / body_volume_ml(self.level))


def voted_positions(prediction: VoxelPrediction, where: npt.NDArray[np.bool_]) -> Points:
    """Index (n, 3) every voxel of `where` points at."""
    own = np.argwhere(where).astype(np.float64)
    return own + prediction.offsets_mm[:, where].T / VOXEL_MM


def body_candidates(prediction: VoxelPrediction) -> tuple[BodyCandidate, ...]:
    """Candidate bodies, strongest first; two never closer than the spine allows at that level.

    A threshold relative to the strongest peak would lose cervical bodies, ten times smaller than
    lumbar ones: a peak only needs to stand out in its own neighbourhood.
    """
    body = prediction.tissue == Tissue.BODY
    if np.count_nonzero(body) < _MIN_VOTES:
        return ()
    targets = voted_positions(prediction, body)
    levels = prediction.level[body]
    kept: list[BodyCandidate] = []
    for peak in _peaks(targets, body.shape):
        near = np.linalg.norm(targets - peak, axis=1) < _CAPTURE_MM / VOXEL_MM
        if np.count_nonzero(near) < _MIN_VOTES:
            continue
        level = float(np.median(levels[near]))
        closest = _MIN_SPACING_FRACTION * float(spacing_mm(level)) / VOXEL_MM
        if any(np.linalg.norm(peak - np.asarray(other.centre)) < closest for other in kept):
            continue
        z, y, x = (float(c) for c in targets[near].mean(axis=0))
        kept.append(BodyCandidate((z, y, x), int(np.count_nonzero(near)), level))
    return tuple(kept)


def _peaks(targets: Points, shape: tuple[int, ...]) -> Points:
    """Local maxima (n, 3) of the smoothed votes, strongest first."""
    index = np.rint(targets).astype(np.int64)
    inside = np.all((index >= 0) & (index < np.asarray(shape)), axis=1)
    votes = np.zeros(shape, dtype=np.float32)
    np.add.at(votes, tuple(index[inside].T), 1.0)
    smooth = ndimage.gaussian_filter(votes, _SMOOTHING_VOXELS)
    top = ndimage.maximum_filter(smooth, size=2 * _PEAK_RADIUS_VOXELS + 1)
    found = np.argwhere((smooth == top) & (smooth > 0.3))
    strength = smooth[tuple(found.T)]
    ranked: Points = found[np.argsort(-strength, kind="stable")].astype(np.float64)
    return ranked
