"""Dice and 95 % Hausdorff distance of every vertebra."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from inference.anatomy import VertebraLevel
from inference.report import Segmentation
from inference.volume import LabelArray

Bools = npt.NDArray[np.bool_]
Spacing = tuple[float, float, float]

HAUSDORFF_PERCENTILE = 95.0


@dataclass(frozen=True)
class VertebraOverlap:
    """Agreement of one true vertebra with the found masks.

    Attributes
    ----------
    dice
        With the found vertebra of the same name; 0 if there is none.
    dice_any_name
        With the found vertebra that covers most of it, whatever its name: separates the quality
        of the masks from that of the names.
    hausdorff95_mm
        None if no vertebra of that name was found.
    body_dice
        None without true bodies.
    """

    level: VertebraLevel
    dice: float
    dice_any_name: float
    hausdorff95_mm: float | None
    body_dice: float | None


def compare_masks(
    true_labels: LabelArray,
    true_bodies: LabelArray | None,
    found: Segmentation,
    spacing_kji_mm: Spacing,
) -> tuple[VertebraOverlap, ...]:
    """Agreement of every true vertebra, head to foot."""
    boxes = _Boxes(true_labels, found.labels)
    rows = []
    for level in VertebraLevel.ordered():
        label = int(level)
        box = boxes.around(label, true_labels)
        if box is None:
            continue
        truth, same = true_labels[box] == label, found.labels[box] == label
        covering = _covering_label(truth, found.labels[box])
        same_name = dice(truth, same)
        body = None
        if true_bodies is not None and (true_bodies[box] == label).any():
            body = dice(true_bodies[box] == label, found.bodies[box] == label)
        rows.append(
            VertebraOverlap(
                level=level,
                dice=same_name,
                dice_any_name=(
                    same_name
                    if covering in (0, label)
                    else dice(true_labels == label, found.labels == covering)
                ),
                hausdorff95_mm=hausdorff95_mm(truth, same, spacing_kji_mm),
                body_dice=body,
            )
        )
    return tuple(rows)


def dice(one: Bools, other: Bools) -> float:
    """``2 |A and B| / (|A| + |B|)``; 1 for two empty masks."""
    together = int(one.sum()) + int(other.sum())
    return 2.0 * int((one & other).sum()) / together if together else 1.0


def hausdorff95_mm(one: Bools, other: Bools, spacing_kji_mm: Spacing) -> float | None:
    """95 % Hausdorff distance between the surfaces of two masks.

    The surface is the voxels of a mask with a face neighbour outside it. The larger of the two
    95th percentiles of the distances from one surface to the nearest point of the other; None if
    a mask is empty.
    """
    if not one.any() or not other.any():
        return None
    box = ndimage.find_objects((one | other).astype(np.uint8))[0]
    first, second = _surface(one[box]), _surface(other[box])
    to_second = ndimage.distance_transform_edt(~second, sampling=spacing_kji_mm)[first]
    to_first = ndimage.distance_transform_edt(~first, sampling=spacing_kji_mm)[second]
    return float(max(np.percentile(d, HAUSDORFF_PERCENTILE) for d in (to_second, to_first)))


def _surface(mask: Bools) -> Bools:
    inner: Bools = ndimage.binary_erosion(mask)
    return mask & ~inner


def _covering_label(truth: Bools, found: LabelArray) -> int:
    """Found vertebra with most voxels inside a true one; 0 if none touches it."""
    counts = np.bincount(found[truth], minlength=256)
    levels = [int(level) for level in VertebraLevel]
    best = max(levels, key=lambda label: int(counts[label]))
    return best if counts[best] else 0


class _Boxes:
    """Bounding boxes that hold a label in both masks, to keep whole-volume passes rare."""

    def __init__(self, true_labels: LabelArray, found_labels: LabelArray) -> None:
        self._true = ndimage.find_objects(true_labels)
        self._found = ndimage.find_objects(found_labels)

    def around(self, label: int, like: LabelArray) -> tuple[slice, ...] | None:
        """Box around a true vertebra and its namesake; None if the truth has no such vertebra."""
        mine = _box(self._true, label)
        if mine is None:
            return None
        namesake = _box(self._found, label) or mine
        return tuple(
            slice(min(a.start, b.start), min(size, max(a.stop, b.stop)))
            for a, b, size in zip(mine, namesake, like.shape, strict=True)
        )


def _box(boxes: list[tuple[slice, ...] | None], label: int) -> tuple[slice, ...] | None:
    return boxes[label - 1] if label <= len(boxes) else None
