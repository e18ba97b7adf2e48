"""The dens: bone of C2 that stands far above its body, where votes for the body are not believed.

The network is unsure of it (few patients show it), and its votes fall between body and dens.
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

_LENGTH_MM = 42.0
"""From the middle of the body to the tip: half a body and a dens of up to 25 mm, and some more."""
_RADIUS_MM = 9.0
"""About the body's own axis, tilt included. The arch of C1 begins beyond it."""
_HIGHEST_NUMBER = 5.5
"""Level numbers of C2 scatter from 2 to 5; a first vertebra that is C3 or C4 has nothing unowned
straight above it."""
_TOUCHING = np.ones((3, 3, 3), dtype=bool)


def give_dens(
    labels: LabelArray, prediction: VoxelPrediction, chain: Sequence[BodyCandidate]
) -> None:
    """Give the first vertebra of a cervical column what stands on it, in place.

    What the view cuts stays as it was: it may be the rest of another vertebra.

    Parameters
    ----------
    labels
        uint8 (z, y, x) on the 2 mm grid; ``n + 1`` is vertebra n of `chain`, 0 nobody's.
    chain
        Bodies from head to foot.
    """
    if not chain or chain[0].level > _HIGHEST_NUMBER:
        return
    tissue, own = prediction.tissue, labels == 1
    free = ((tissue == Tissue.BODY) | (tissue == Tissue.POSTERIOR)) & (labels == 0)
    above = free & _above(chain[0], labels.shape)
    box = bounds(own | above, 1)
    if box is None:
        return
    pieces, _ = ndimage.label((own | above)[box], _TOUCHING)
    beyond = ~np.pad(prediction.seen[1:], ((0, 1), (0, 0), (0, 0)))[box]
    joined = np.setdiff1d(pieces[own[box]], pieces[above[box] & beyond])
    labels[box][above[box] & np.isin(pieces, joined[joined > 0])] = 1


def _above(body: BodyCandidate, shape: tuple[int, ...]) -> Bools:
    z, y, x = (
        (np.arange(size) - at) * VOXEL_MM for size, at in zip(shape, body.centre, strict=True)
    )
    beside: Bools = np.hypot(y[:, None], x[None, :]) < _RADIUS_MM
    high: Bools = (z > 0) & (z < _LENGTH_MM)
    return np.logical_and(high[:, None, None], beside[None])
