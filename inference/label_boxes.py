"""Where the labels of a mask lie, found without touching the empty part of the volume twice."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from inference.volume import LabelArray

Box = tuple[slice, slice, slice]


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


def bounds(mask: npt.NDArray[np.bool_], margin: int) -> Box | None:
    """Smallest box of a mask, `margin` voxels larger on every side; None for an empty mask."""
    found = ndimage.find_objects(mask.astype(np.uint8))
    return widened(found[0], margin, mask.shape) if found else None


def widened(box: tuple[slice, ...], margin: npt.ArrayLike, shape: tuple[int, ...]) -> Box:
    """The box with a margin on every side, as far as an array reaches.

    Parameters
    ----------
    margin
        Voxels; one number, or one for each axis.
    """
    k, j, i = (
        slice(max(0, edge.start - pad), min(size, edge.stop + pad))
        for edge, pad, size in zip(
            box, np.broadcast_to(margin, len(shape)).tolist(), shape, strict=True
        )
    )
    return k, j, i


def in_voxels(length_mm: npt.ArrayLike, spacing_kji_mm: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Fewest whole voxels along each axis that are at least that long."""
    voxels: npt.NDArray[np.int64] = np.ceil(
        np.asarray(length_mm) / np.asarray(spacing_kji_mm)
    ).astype(np.int64)
    return voxels


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
