"""Count and centre of every label of a mask, without touching the empty part of the volume."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from inference.volume import LabelArray


@dataclass(frozen=True)
class LabelStatistics:
    """Where one label lies.

    Attributes
    ----------
    voxels
        Number of voxels.
    centroid_kji
        Mean index (k, j, i) of the voxels.
    """

    voxels: int
    centroid_kji: npt.NDArray[np.float64]


def occupied_slices(labels: LabelArray) -> range:
    """Slices from the first to the last that holds a label; empty for an empty mask."""
    occupied = np.flatnonzero(labels.reshape(len(labels), -1).max(axis=1))
    return range(int(occupied[0]), int(occupied[-1]) + 1) if len(occupied) else range(0)


def mask_statistics(labels: LabelArray) -> dict[int, LabelStatistics]:
    """Statistics of each label present, in ascending order of labels.

    Parameters
    ----------
    labels
        uint8 (k, j, i), 0 elsewhere.
    """
    span = occupied_slices(labels)
    part = labels[span.start : span.stop]
    if not len(part):
        return {}
    rows = np.flatnonzero(part.max(axis=(0, 2)))
    part = part[:, rows[0] : rows[-1] + 1]
    corner = np.array([span.start, rows[0], 0])
    boxes = ndimage.find_objects(part)
    return {
        label: _statistics(part, label, box, corner)
        for label, box in enumerate(boxes, start=1)
        if box is not None
    }


def _statistics(
    labels: LabelArray, label: int, box: tuple[slice, ...], corner: npt.NDArray[np.intp]
) -> LabelStatistics:
    mask = labels[box] == label
    voxels = int(np.count_nonzero(mask))
    start = corner + [edge.start for edge in box]
    centroid = [
        float(mask.sum(axis=others, dtype=np.int64) @ np.arange(mask.shape[axis])) / voxels
        for axis, others in enumerate(((1, 2), (0, 2), (0, 1)))
    ]
    return LabelStatistics(voxels, start + np.array(centroid))
