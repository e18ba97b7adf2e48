"""Box, count and centre of every label of a mask, without touching the empty part of the volume."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from inference.volume import LabelArray

Box = tuple[slice, slice, slice]


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
    held = _span(labels.reshape(len(labels), -1).max(axis=1))
    return range(held.start, held.stop)


def label_boxes(labels: LabelArray) -> dict[int, Box]:
    """Smallest box of each label present, in ascending order of labels.

    Parameters
    ----------
    labels
        uint8 (k, j, i), 0 elsewhere.
    """
    slices = occupied_slices(labels)
    part = labels[slices.start : slices.stop]
    if not len(part):
        return {}
    rows = _span(part.max(axis=(0, 2)))
    part = part[:, rows]
    columns = _span(part.max(axis=(0, 1)))
    corner = (slices.start, rows.start, columns.start)
    found = ndimage.find_objects(np.ascontiguousarray(part[:, :, columns]))
    return {
        label: _moved(box, corner) for label, box in enumerate(found, start=1) if box is not None
    }


def mask_statistics(labels: LabelArray) -> dict[int, LabelStatistics]:
    """Statistics of each label present, in ascending order of labels.

    Parameters
    ----------
    labels
        uint8 (k, j, i), 0 elsewhere.
    """
    return {label: _statistics(labels, label, box) for label, box in label_boxes(labels).items()}


def _span(values: npt.NDArray[np.uint8]) -> slice:
    """From the first to the last value that is not 0."""
    occupied = np.flatnonzero(values)
    return slice(int(occupied[0]), int(occupied[-1]) + 1) if len(occupied) else slice(0, 0)


def _moved(box: tuple[slice, ...], corner: tuple[int, int, int]) -> Box:
    k, j, i = (
        slice(edge.start + start, edge.stop + start)
        for edge, start in zip(box, corner, strict=True)
    )
    return k, j, i


def _statistics(labels: LabelArray, label: int, box: Box) -> LabelStatistics:
    mask = labels[box] == label
    voxels = int(np.count_nonzero(mask))
    centroid = [
        box[axis].start
        + float(mask.sum(axis=others, dtype=np.int64) @ np.arange(mask.shape[axis])) / voxels
        for axis, others in enumerate(((1, 2), (0, 2), (0, 1)))
    ]
    return LabelStatistics(voxels, np.array(centroid))
