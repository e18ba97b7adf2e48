"""The dens of C2: bone that stands far above its body, and may look like a vertebra of its own.

The network is unsure of it (few patients show it): votes for the body fall between body and dens,
where they are not believed, or the dens passes for the C1 that surrounds it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from inference.label_boxes import bounds
from inference.networks import Tissue
from inference.preprocess import VOXEL_MM
from inference.sliding import VoxelPrediction
from inference.volume import LabelArray
from inference.votes import BodyCandidate

Bools = npt.NDArray[np.bool_]
Place = tuple[float, float, float]

_LENGTH_MM = 42.0
"""From the middle of the body to the tip: half a body and a dens of up to 25 mm, and some more."""
_RADIUS_MM = 9.0
"""About the body's own axis, tilt included. The arch of C1 begins beyond it."""
_DENS_SHARE = 0.5
"""Of what the network makes of a dens three quarters lie within `_RADIUS_MM`, of C1 a fifth."""
_HIGHEST_NUMBER = 5.5
"""Level numbers of C2 scatter around 4."""
_TOUCHING = np.ones((3, 3, 3), dtype=bool)


def free_dens(
    labels: LabelArray, prediction: VoxelPrediction, chain: Sequence[BodyCandidate]
) -> None:
    """Take a dens that passes for the first vertebra of a column from it, in place.

    Parameters
    ----------
    labels
        uint8 (z, y, x) on the 2 mm grid; ``n + 1`` is vertebra n of `chain`, 0 nobody's.
    chain
        Bodies from head to foot.
    """
    first = labels == 1
    if len(chain) > 1 and _is_dens_of(chain[1], first, _cut(prediction)):
        labels[first] = np.where(_above(chain[1].centre, labels.shape)[first], 0, 2)


def give_dens(labels: LabelArray, prediction: VoxelPrediction, number: int, body: Place) -> None:
    """Give C2 what stands on it, in place.

    What the view cuts stays as it was: it may be the rest of another vertebra. Only masks are to
    know of the dens; centres, distances and level numbers are those of bodies.

    Parameters
    ----------
    number
        Of C2 in `labels`.
    body
        Centre of its body, index (z, y, x).
    """
    tissue = prediction.tissue
    free = ((tissue == Tissue.BODY) | (tissue == Tissue.POSTERIOR)) & (labels == 0)
    _give_joined(labels, number, free & _above(body, labels.shape), _cut(prediction))


def _cut(prediction: VoxelPrediction) -> Bools:
    """Voxels above which the view ends."""
    return ~np.pad(prediction.seen[1:], ((0, 1), (0, 0), (0, 0)))


def _is_dens_of(body: BodyCandidate, upper: Bools, cut: Bools) -> bool:
    """Whether what passes for the vertebra above a body is a peg on that body."""
    count = np.count_nonzero(upper)
    if not count or body.level > _HIGHEST_NUMBER or (upper & cut).any():
        return False
    return bool(np.count_nonzero(upper & _above(body.centre, upper.shape)) > _DENS_SHARE * count)


def _give_joined(labels: LabelArray, number: int, above: Bools, cut: Bools) -> None:
    """Give a vertebra the voxels above it that hang together with it and end in the view."""
    own = labels == number
    box = bounds(own | above, 1)
    if box is None:
        return
    pieces, _ = ndimage.label((own | above)[box], _TOUCHING)
    joined = np.setdiff1d(pieces[own[box]], pieces[(above & cut)[box]])
    labels[box][above[box] & np.isin(pieces, joined[joined > 0])] = number


def _above(body: Place, shape: tuple[int, ...]) -> Bools:
    z, y, x = ((np.arange(size) - at) * VOXEL_MM for size, at in zip(shape, body, strict=True))
    beside: Bools = np.hypot(y[:, None], x[None, :]) < _RADIUS_MM
    high: Bools = (z > 0) & (z < _LENGTH_MM)
    return np.logical_and(high[:, None, None], beside[None])
