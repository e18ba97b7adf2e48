"""Masks on the source grid from soft masks on the 2 mm grid, or on a finer one over it.

Labels are never upsampled: each vertebra's probability is, linearly, and the decision is made at
the source's own voxels. Full-size arrays are uint8 only; floats live in one vertebra's box.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from inference.anatomy import SACRUM_LABEL
from inference.label_boxes import Box, bounds, widened
from inference.networks import Tissue
from inference.preprocess import NetworkGrid, PreparedVolume
from inference.resampling import FloatArray, apply_matrices, sampling_matrix
from inference.sliding import VoxelPrediction
from inference.volume import HUArray, LabelArray

_GROWTH_VOXELS = 2
"""How far (2 mm voxels) a soft mask reaches beyond the voxels decided at 2 mm."""

_FULL = 200
"""Probability 1 as an integer."""

_BONE_HU = 350
_THIN_BONE = 0.35
"""Probability that is enough for bone of arch and processes (chosen on two labelled CTs and seven
phantoms of 0.7 to 5 mm)."""

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class FineMasks:
    """uint8 masks in canonical order at source resolution; bodies lie inside labels."""

    labels: LabelArray
    bodies: LabelArray


@dataclass
class _Canvas:
    """Best and summed probability so far, per source voxel."""

    labels: LabelArray
    bodies: LabelArray
    best: npt.NDArray[np.uint8]
    total: npt.NDArray[np.uint8]

    @classmethod
    def blank(cls, shape: tuple[int, int, int]) -> _Canvas:
        return cls(*(np.zeros(shape, dtype=np.uint8) for _ in range(4)))

    def paint(self, box: Box, label: int, whole: FloatArray, body: FloatArray) -> None:
        """Let one vertebra compete for the voxels of a box."""
        score = np.rint(np.clip(whole, 0, 1) * _FULL).astype(np.uint8)
        self.total[box] += np.minimum(score, 255 - self.total[box])
        wins = score > self.best[box]
        self.best[box][wins] = score[wins]
        self.labels[box][wins] = label
        self.bodies[box][wins] = np.where(body > 0.5 * whole, label, 0)[wins]

    def decide(self, hu: HUArray) -> FineMasks:
        """Keep what is vertebra rather than anything else, and thin processes that are bone.

        Laminae and processes thinner than 2 mm lose probability by averaging; where the source
        itself shows bone a lower probability is enough. Bodies are decided by probability alone,
        so that their surfaces, and with them heights, do not depend on density.
        """
        likely = self.total > _FULL // 2
        thin_bone = (hu > _BONE_HU) & (self.bodies == 0) & (self.total > _THIN_BONE * _FULL)
        outside = ~(likely | thin_bone)
        self.labels[outside] = 0
        self.bodies[outside] = 0
        return FineMasks(self.labels, self.bodies)


@dataclass(frozen=True)
class SoftMask:
    """Probabilities of one vertebra in a box of the 2 mm grid.

    Attributes
    ----------
    box
        Extent on the 2 mm grid.
    whole, body
        float32 of the box's shape, or of a whole multiple of it (a finer grid over the same box).
    """

    box: Box
    whole: FloatArray
    body: FloatArray


class SoftParts(Protocol):
    """Makes the soft mask of one vertebra."""

    def __call__(self, owner: LabelArray, number: int, extent: Box) -> SoftMask:
        """Soft mask of vertebra `number`, whose voxels on the 2 mm grid lie within `extent`."""
        ...


def coarse_mask(prediction: VoxelPrediction, box: Box, own: Bools) -> SoftMask:
    """Take a vertebra's soft mask from the first network alone."""
    body = prediction.probabilities[Tissue.BODY][box] * own
    return SoftMask(box, body + prediction.probabilities[Tissue.POSTERIOR][box] * own, body)


@dataclass(frozen=True)
class CoarseParts:
    """Soft masks of the first network alone."""

    prediction: VoxelPrediction

    def __call__(self, owner: LabelArray, number: int, extent: Box) -> SoftMask:
        """Soft mask at 2 mm."""
        box = widened(extent, 1, owner.shape)
        return coarse_mask(self.prediction, box, owner[box] == number)


def fuse(
    prediction: VoxelPrediction,
    instances: LabelArray,
    names: Mapping[int, int],
    sacrum: Bools,
    prepared: PreparedVolume,
    soft_parts: SoftParts | None = None,
) -> FineMasks:
    """Decide every source voxel near the column.

    Parameters
    ----------
    instances
        uint8 (z, y, x) on the 2 mm grid.
    names
        Output label of every instance number; instances without a name are left out.
    sacrum
        2 mm mask of the sacrum; its output label is `SACRUM_LABEL`.
    soft_parts
        Makes each vertebra's soft mask; the first network's own when absent.
    """
    grid = prepared.grid
    canvas = _Canvas.blank(grid.source_shape)
    owner = _grown(instances, prediction)
    extents = ndimage.find_objects(owner)
    mask_of = soft_parts or CoarseParts(prediction)
    for number, label in names.items():
        if number <= len(extents) and extents[number - 1] is not None:
            _paint(canvas, grid, label, mask_of(owner, number, extents[number - 1]))
    box_of_sacrum = bounds(sacrum, _GROWTH_VOXELS + 1)
    if box_of_sacrum is not None:
        reach = ndimage.binary_dilation(sacrum[box_of_sacrum], iterations=_GROWTH_VOXELS)
        free = reach & (instances[box_of_sacrum] == 0)
        soft = prediction.probabilities[Tissue.SACRUM][box_of_sacrum] * free
        _paint(canvas, grid, SACRUM_LABEL, SoftMask(box_of_sacrum, soft, np.zeros_like(soft)))
    return canvas.decide(prepared.source_hu)


def _grown(instances: LabelArray, prediction: VoxelPrediction) -> LabelArray:
    """Owner of every voxel near an instance; vertebra voxels that were dropped stay ownerless."""
    tissue = prediction.tissue
    dropped = (instances == 0) & ((tissue == Tissue.BODY) | (tissue == Tissue.POSTERIOR))
    box = bounds(instances > 0, _GROWTH_VOXELS + 1)
    owner = np.zeros_like(instances)
    if box is None:
        return owner
    distance, nearest = ndimage.distance_transform_edt(instances[box] == 0, return_indices=True)
    near = instances[box][tuple(nearest)]
    owner[box] = np.where((distance <= _GROWTH_VOXELS) & ~dropped[box], near, 0)
    return owner


def _paint(canvas: _Canvas, grid: NetworkGrid, label: int, mask: SoftMask) -> None:
    target, matrices = [], []
    for axis, extent in enumerate(mask.box):
        first, last = grid.to_source(axis, [extent.start - 0.5, extent.stop - 0.5])
        start = max(0, int(np.ceil(first)))
        stop = min(grid.source_shape[axis], int(np.floor(last)) + 1)
        if stop <= start:
            return
        cells = mask.whole.shape[axis]
        finer = cells / (extent.stop - extent.start)
        at = (grid.from_source(axis, np.arange(start, stop)) - extent.start + 0.5) * finer - 0.5
        # A source voxel takes the probability at its centre: averaged over a thick slice, what
        # ends inside the slice would be lost and what begins there would grow.
        matrices.append(sampling_matrix(cells, at, width=1.0))
        target.append(slice(start, stop))
    whole, body = (apply_matrices(soft, matrices) for soft in (mask.whole, mask.body))
    canvas.paint((target[0], target[1], target[2]), label, whole, body)
