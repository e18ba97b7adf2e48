"""The dens of C2: bone that stands far above its body.

Votes for the body fall between body and dens there, where they are not believed.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from inference.instances import Instance
from inference.label_boxes import bounds
from inference.networks import Tissue
from inference.preprocess import VOXEL_MM
from inference.sliding import VoxelPrediction
from inference.volume import LabelArray

Bools = npt.NDArray[np.bool_]

_LENGTH_MM = 42.0
"""From the middle of the body to the tip: half a body and a dens of up to 25 mm, and some more."""
_RADIUS_MM = 9.0
"""About the body's own axis, tilt included. The arch of C1 begins beyond it."""
_TOUCHING = np.ones((3, 3, 3), dtype=bool)


def give_dens(labels: LabelArray, prediction: VoxelPrediction, c2: Instance) -> None:
    """Give C2 what stands on it and is nobody's, in place.

    What the view cuts stays as it was: it may be the rest of another vertebra. Only masks are to
    know of the dens; centres, distances and level numbers are those of bodies.

    Parameters
    ----------
    labels
        uint8 (z, y, x) of instance numbers on the 2 mm grid.
    """
    tissue, own = prediction.tissue, labels == c2.number
    vertebra = (tissue == Tissue.BODY) | (tissue == Tissue.POSTERIOR)
    above = vertebra & (labels == 0) & _above(c2.centre, labels.shape)
    box = bounds(own | above, 1)
    if box is None:
        return
    pieces, _ = ndimage.label((own | above)[box], _TOUCHING)
    cut = above & _at_end_of_view(prediction.seen)
    joined = np.setdiff1d(pieces[own[box]], pieces[cut[box]])
    labels[box][above[box] & np.isin(pieces, joined)] = c2.number


def _at_end_of_view(seen: Bools) -> Bools:
    """Voxels with nothing seen above them."""
    return ~np.pad(seen[1:], ((0, 1), (0, 0), (0, 0)))


def _above(centre: tuple[float, float, float], shape: tuple[int, ...]) -> Bools:
    z, y, x = ((np.arange(size) - at) * VOXEL_MM for size, at in zip(shape, centre, strict=True))
    beside: Bools = np.hypot(y[:, None], x[None, :]) < _RADIUS_MM
    high: Bools = (z > 0) & (z < _LENGTH_MM)
    return np.logical_and(high[:, None, None], beside[None])
