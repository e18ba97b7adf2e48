"""The dens of C2: bone that stands far above its body.

It names C2, for below the head nothing else ends the column inside the view: whatever stands that
high there, dens or arch of C1, with nothing of a vertebra above it, stands on C2. Votes for the
body fall between body and dens, where they are not believed; so its mask comes last.
"""

from __future__ import annotations

from dataclasses import dataclass

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

_CORE_MM = 8.0
_STEP_MM = 2.0
_HIGHEST_MM = 48.0
_TIP_MM = (18.0, 34.0)
"""Above the body's middle. What the network finds of other first bodies ends below 15 mm; a whole
vertebra that it missed would be set off by a disc, or reach further with the next."""
_FREE_MM = 6.0
"""In view and without vertebra above the tip. Between two bodies 4 mm at most are free."""
_ANY = 0.08
_NOTHING = 0.05
_ALL_SEEN = 0.9


@dataclass(frozen=True)
class _Section:
    """Shares of a small disc across the column's axis."""

    vertebra: float
    seen: float


def ends_with_dens(prediction: VoxelPrediction, first: Instance, second: Instance) -> bool:
    """Whether the column ends inside the view as it does above C2 alone.

    Parameters
    ----------
    first, second
        The two uppermost vertebrae.
    """
    sections = _sections(prediction, first, second)
    tip = next((n for n, each in enumerate(sections) if each.vertebra < _ANY), len(sections))
    height_mm = (tip - 1) * _STEP_MM
    free = sections[tip : tip + round(_FREE_MM / _STEP_MM)]
    return (
        _TIP_MM[0] <= height_mm <= _TIP_MM[1]
        and len(free) == round(_FREE_MM / _STEP_MM)
        and all(each.vertebra < _NOTHING and each.seen > _ALL_SEEN for each in free)
    )


def _sections(
    prediction: VoxelPrediction, first: Instance, second: Instance
) -> tuple[_Section, ...]:
    """From the middle of the first body upwards along the line from the second."""
    up = np.subtract(first.centre, second.centre)
    up /= np.linalg.norm(up)
    across = np.linalg.svd(up[None])[2][1:]
    side = np.arange(-_CORE_MM, _CORE_MM + 1, VOXEL_MM)
    places = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    core = places[np.linalg.norm(places, axis=1) <= _CORE_MM] @ across
    heights = np.arange(0.0, _HIGHEST_MM, _STEP_MM)
    return tuple(_section(prediction, first.centre + (core + up * h) / VOXEL_MM) for h in heights)


def _section(prediction: VoxelPrediction, points: npt.NDArray[np.float64]) -> _Section:
    index = np.rint(points).astype(int).T
    limits = np.array(prediction.seen.shape)[:, None]
    where = tuple(np.clip(index, 0, limits - 1))
    inside = ((index >= 0) & (index < limits)).all(axis=0) & prediction.seen[where]
    tissue = prediction.tissue[where]
    vertebra = (tissue == Tissue.BODY) | (tissue == Tissue.POSTERIOR)
    return _Section(
        vertebra=float((vertebra & inside).mean()),
        seen=float(inside.mean()),
    )


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
