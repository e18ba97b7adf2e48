"""Which vertebrae bear ribs: rib beside a vertebra, and where a rib's inner end points.

The network often misses the thin neck of a rib, above all of the first one. What it sees of such a
rib still begins nearest to the vertebra that the rib belongs to.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from inference.instances import Instance
from inference.label_boxes import Box, bounds
from inference.networks import Tissue
from inference.preprocess import VOXEL_MM
from inference.sliding import VoxelPrediction
from inference.volume import LabelArray

_BESIDE_MM = 10.0
_SEEN_VOXELS = 12.0
"""Summed rib probability beside one side of a vertebra at which a rib counts as surely there."""

_FAINT = 0.15
"""Rudimentary ribs are small: probabilities count from here on, not only the winning class."""

_BELOW_MM = 10.0
"""Ribs hang down: what lies lower than this below a body's centre is the next rib passing by."""

_LATERAL_VIEW_MM = 32.0
"""A rib can only be missed where the view reaches this far to the side of the body."""

_END_REACH_MM = 28.0
"""From the vertebra to where a rib whose neck and tubercle were missed begins."""
_END_VOXELS = 60
_TIP_MM = 4.0
_FAR_END_SURENESS = 0.5
"""Of an end as far away as `_END_REACH_MM`."""

_TOUCHING = np.ones((3, 3, 3), dtype=bool)

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class RibEnd:
    """Inner end of one rib.

    Attributes
    ----------
    number
        Vertebra it points at.
    centre
        Index (z, y, x) on the 2 mm grid.
    """

    number: int
    centre: tuple[float, float, float]
    distance_mm: float

    @property
    def sureness(self) -> float:
        """1 beside the vertebra, less with distance."""
        away = max(0.0, self.distance_mm - _BESIDE_MM) / (_END_REACH_MM - _BESIDE_MM)
        return 1.0 - (1.0 - _FAR_END_SURENESS) * away


@dataclass(frozen=True)
class RibEvidence:
    """Ribs near the column.

    Attributes
    ----------
    territory
        uint8 (z, y, x), number of the nearest vertebra close around the vertebrae, 0 elsewhere.
    rib
        float32 (z, y, x), probability of rib there.
    ends
        Of all pieces of rib that are large enough to be a rib.
    """

    territory: LabelArray
    rib: Floats
    ends: tuple[RibEnd, ...]


def rib_evidence(prediction: VoxelPrediction, labels: LabelArray) -> RibEvidence:
    """Rib probability near vertebrae, and which of them each voxel and each rib is nearest to.

    A rib belongs to the vertebra it touches: the first rib also passes close to C7.
    """
    box = bounds(labels > 0, round(_END_REACH_MM / VOXEL_MM))
    assert box is not None, "a column without voxels"
    near = labels[box]
    distance, index = ndimage.distance_transform_edt(near == 0, return_indices=True)
    distance_mm = distance * VOXEL_MM
    nearest = near[tuple(index)]
    rib = prediction.probabilities[Tissue.RIB]
    territory = np.zeros_like(labels)
    territory[box] = np.where((distance_mm > 0) & (distance_mm <= _BESIDE_MM), nearest, 0)
    beside = np.where((territory > 0) & (rib > _FAINT), rib, 0)
    return RibEvidence(territory, beside, tuple(_ends(rib[box], distance_mm, nearest, box)))


def _ends(rib: Floats, distance_mm: Floats, nearest: LabelArray, box: Box) -> Iterator[RibEnd]:
    pieces, _ = ndimage.label((rib > 0.5) & (distance_mm <= _END_REACH_MM), _TOUCHING)
    for piece, extent in enumerate(ndimage.find_objects(pieces), start=1):
        where = pieces[extent] == piece
        if np.count_nonzero(where) < _END_VOXELS:
            continue
        away = np.where(where, distance_mm[extent], np.inf)
        tip = away <= away.min() + _TIP_MM
        z, y, x = (
            float(at.mean()) + part.start + side.start
            for at, part, side in zip(np.nonzero(tip), extent, box, strict=True)
        )
        yield RibEnd(int(np.bincount(nearest[extent][tip]).argmax()), (z, y, x), float(away.min()))


def rib_presence(evidence: RibEvidence, vertebra: Instance) -> float | None:
    """0 to 1, mean over the sides of the body that are in view; None if neither is."""
    x = vertebra.centre[2]
    width = evidence.territory.shape[2]
    in_view = (x * VOXEL_MM > _LATERAL_VIEW_MM, (width - 1 - x) * VOXEL_MM > _LATERAL_VIEW_MM)
    sides = [
        max(beside, pointing)
        for shown, beside, pointing in zip(
            in_view, _beside(evidence, vertebra), _pointing(evidence, vertebra), strict=True
        )
        if shown
    ]
    return float(np.mean(sides)) if sides else None


def _beside(evidence: RibEvidence, vertebra: Instance) -> tuple[float, float]:
    """How surely rib lies beside the vertebra, on the sides of low and of high x."""
    z, _, x = vertebra.centre
    extents = ndimage.find_objects(evidence.territory, max_label=vertebra.number)
    extent = extents[vertebra.number - 1]
    if extent is None:
        return 0.0, 0.0
    height, _, side = np.ogrid[extent]
    own = (evidence.territory[extent] == vertebra.number) & (height > z - _BELOW_MM / VOXEL_MM)
    rib = evidence.rib[extent] * own
    low, high = float((rib * (side < x)).sum()), float((rib * (side > x)).sum())
    return min(1.0, low / _SEEN_VOXELS), min(1.0, high / _SEEN_VOXELS)


def _pointing(evidence: RibEvidence, vertebra: Instance) -> tuple[float, float]:
    """How surely a rib's inner end points at the vertebra, on the sides of low and of high x."""
    z, _, x = vertebra.centre
    lowest = z - _BELOW_MM / VOXEL_MM
    own = [e for e in evidence.ends if e.number == vertebra.number and e.centre[0] > lowest]
    low = max((end.sureness for end in own if end.centre[2] < x), default=0.0)
    high = max((end.sureness for end in own if end.centre[2] > x), default=0.0)
    return low, high
