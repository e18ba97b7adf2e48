"""One mask per vertebra on the 2 mm grid, from head to foot."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.spatial import cKDTree

from inference.column import column_chain, cut_pieces
from inference.label_boxes import Box, widened
from inference.networks import Tissue
from inference.preprocess import VOXEL_MM
from inference.sliding import VoxelPrediction
from inference.spinal_priors import body_volume_ml, spacing_mm
from inference.volume import LabelArray
from inference.votes import BodyCandidate, body_candidates, voted_positions

_TOUCHING = np.ones((3, 3, 3), dtype=bool)
_REACH = 0.8
"""A voxel belongs to a body when its vote lands within this fraction of the level spacing."""

_FRAGMENT = 0.15
"""A loose piece smaller than this part of its vertebra is not kept."""

_MIN_BODY_ML = 0.6
_MIN_FULLNESS = 0.2
_MIN_BORDER_FULLNESS = 0.05
_MIN_POSTERIOR = 0.04
_MAX_LATERAL_MM = 58.0
_MAX_POSTERIOR_MM = 95.0
_MAX_AXIAL_MM = 55.0


@dataclass(frozen=True)
class Instance:
    """One vertebra of an `InstanceMap`, number `number` there.

    Attributes
    ----------
    centre
        Centre of the body, fractional index (z, y, x) on the canonical 2 mm grid.
    level, level_spread
        Median of the network's level number over the body, and its robust spread.
    """

    number: int
    centre: tuple[float, float, float]
    body_ml: float
    posterior_ml: float
    level: float
    level_spread: float
    touches_border: bool


@dataclass(frozen=True)
class InstanceMap:
    """Vertebrae from head to foot; ``labels == instances[n].number`` is vertebra n."""

    labels: LabelArray
    instances: tuple[Instance, ...]


def find_instances(prediction: VoxelPrediction) -> InstanceMap:
    """Separate the column into vertebrae; what is no part of the column is left out."""
    tissue = prediction.tissue
    candidates = body_candidates(prediction)
    chain = column_chain(candidates)
    labels = _assign(prediction, tissue, (*chain, *cut_pieces(chain, candidates)))
    labels[labels > len(chain)] = 0
    kept: list[Instance] = []
    for number in range(1, len(chain) + 1):
        _tidy(labels, tissue, number)
    for number in range(1, len(chain) + 1):
        instance = _describe(prediction, tissue, labels, number)
        if instance is not None and _is_plausible(instance):
            kept.append(instance)
        else:
            labels[labels == number] = 0
    return InstanceMap(labels, tuple(kept))


def _assign(
    prediction: VoxelPrediction, tissue: npt.NDArray[np.uint8], chain: tuple[BodyCandidate, ...]
) -> LabelArray:
    """Give every vertebra voxel to the centre it points at, if it points at one."""
    labels = np.zeros(tissue.shape, dtype=np.uint8)
    vertebra = (tissue == Tissue.BODY) | (tissue == Tissue.POSTERIOR)
    if not chain or not vertebra.any():
        return labels
    centres = np.asarray([c.centre for c in chain])
    reach = np.asarray([_REACH * float(spacing_mm(c.level)) / VOXEL_MM for c in chain])
    distance, nearest = cKDTree(centres).query(voted_positions(prediction, vertebra))
    away = (np.argwhere(vertebra) - centres[nearest]) * VOXEL_MM
    owned = (
        (distance < reach[nearest])
        & (np.abs(away[:, 0]) < _MAX_AXIAL_MM)
        & (away[:, 1] < _MAX_POSTERIOR_MM)
        & (np.abs(away[:, 2]) < _MAX_LATERAL_MM)
    )
    labels[vertebra] = np.where(owned, nearest + 1, 0)
    return labels


def _tidy(labels: LabelArray, tissue: npt.NDArray[np.uint8], number: int) -> None:
    """Hand loose pieces of one vertebra to the neighbour they touch, or drop them, in place."""
    box = _box_of(labels, number)
    if box is None:
        return
    view, own_tissue = labels[box], tissue[box]
    own = view == number
    pieces, count = ndimage.label(own, _TOUCHING)
    body_size = ndimage.sum_labels(own_tissue == Tissue.BODY, pieces, np.arange(1, count + 1))
    main = 1 + int(np.argmax(body_size))
    total = np.count_nonzero(own)
    joined = {main} | _joined_beyond(pieces, main, box[0], labels.shape[0])
    for piece in range(1, count + 1):
        if piece in joined:
            continue
        where = pieces == piece
        around = view[ndimage.binary_dilation(where, _TOUCHING) & ~own & (view > 0)]
        if around.size:
            view[where] = np.argmax(np.bincount(around))
        elif np.count_nonzero(where) < _FRAGMENT * total:
            view[where] = 0


def _joined_beyond(pieces: npt.NDArray[np.int32], main: int, heights: slice, size: int) -> set[int]:
    """Pieces cut by the end of the view that cuts the main one: pedicles may lie beyond it."""
    joined: set[int] = set()
    for reached, end in ((heights.start == 0, pieces[0]), (heights.stop == size, pieces[-1])):
        cut = set(np.unique(end[end > 0]).tolist())
        if reached and main in cut:
            joined |= cut
    return joined


def _box_of(labels: LabelArray, number: int) -> Box | None:
    """Extent of one instance, one voxel wider on every side inside the array."""
    found = ndimage.find_objects(labels, max_label=number)
    if len(found) < number or found[number - 1] is None:
        return None
    return widened(found[number - 1], 1, labels.shape)


def _describe(
    prediction: VoxelPrediction, tissue: npt.NDArray[np.uint8], labels: LabelArray, number: int
) -> Instance | None:
    box = _box_of(labels, number)
    if box is None:
        return None
    own = labels[box] == number
    body = own & (tissue[box] == Tissue.BODY)
    if not body.any():
        return None
    levels = prediction.level[box][body]
    where = np.argwhere(body) + [s.start for s in box]
    z, y, x = (float(c) for c in where.mean(axis=0))
    edge = np.asarray(labels.shape) - 1
    voxel_ml = VOXEL_MM**3 / 1000
    return Instance(
        number=number,
        centre=(z, y, x),
        body_ml=len(where) * voxel_ml,
        posterior_ml=np.count_nonzero(own & ~body) * voxel_ml,
        level=float(np.median(levels)),
        level_spread=float(1.4826 * np.median(np.abs(levels - np.median(levels)))),
        touches_border=bool((where == 0).any() or (where == edge).any()),
    )


def _is_plausible(instance: Instance) -> bool:
    """A body large enough for its level, with an arch behind it unless the view cuts it."""
    fullness = instance.body_ml / float(body_volume_ml(instance.level))
    needed = _MIN_BORDER_FULLNESS if instance.touches_border else _MIN_FULLNESS
    arch = instance.touches_border or instance.posterior_ml > _MIN_POSTERIOR * instance.body_ml
    return instance.body_ml > _MIN_BODY_ML and fullness > needed and arch
