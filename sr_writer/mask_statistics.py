"""Count and centre of every label of a mask."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from inference.label_boxes import Box, label_boxes
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


def mask_statistics(labels: LabelArray) -> dict[int, LabelStatistics]:
    """Statistics of each label present, in ascending order of labels.

    Parameters
    ----------
    labels
        uint8 (k, j, i), 0 elsewhere.
    """
    return {label: _statistics(labels, label, box) for label, box in label_boxes(labels).items()}


def _statistics(labels: LabelArray, label: int, box: Box) -> LabelStatistics:
    mask = labels[box] == label
    voxels = int(np.count_nonzero(mask))
    centroid = [
        box[axis].start
        + float(mask.sum(axis=others, dtype=np.int64) @ np.arange(mask.shape[axis])) / voxels
        for axis, others in enumerate(((1, 2), (0, 2), (0, 1)))
    ]
    return LabelStatistics(voxels, np.array(centroid))
