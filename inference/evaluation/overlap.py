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
Box = tuple[slice, ...]

HAUSDORFF_PERCENTILE = 95.0


@dataclass(frozen=True)
class Agreement:
    """A true vertebra against one found vertebra.

    Attributes
    ----------
    hausdorff95_mm
        None if no such vertebra was found.
    body_dice
        None without a true body.
    """

    dice: float
    hausdorff95_mm: float | None
    body_dice: float | None


@dataclass(frozen=True)
class VertebraOverlap:
    """One true vertebra against the found masks.

    Attributes
    ----------
    same_name
        Against the found vertebra of the same name.
    any_name
        Against the found vertebra that covers most of it, whatever its name: separates the
        quality of the masks from that of the names.
    """

    level: VertebraLevel
    same_name: Agreement
    any_name: Agreement


def compare_masks(
    true_labels: LabelArray,
    true_bodies: LabelArray | None,
    found: Segmentation,
    spacing_kji_mm: Spacing,
) -> tuple[VertebraOverlap, ...]:
    """Agreement of every true vertebra, head to foot."""
    pair = _Pair(true_labels, true_bodies, found, spacing_kji_mm)
    rows = []
    for level in VertebraLevel.ordered():
        if not pair.has(int(level)):
            continue
        same_name = pair.agreement(int(level), int(level))
        covering = pair.covering(int(level))
        any_name = same_name
        if covering not in (0, int(level)):
            any_name = pair.agreement(int(level), covering)
        rows.append(VertebraOverlap(level, same_name, any_name))
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


class _Pair:
    """True and found masks, compared inside bounding boxes: whole-volume passes stay rare."""

    def __init__(
        self,
        true_labels: LabelArray,
        true_bodies: LabelArray | None,
        found: Segmentation,
        spacing_kji_mm: Spacing,
    ) -> None:
        self._labels, self._bodies = true_labels, true_bodies
        self._found, self._spacing = found, spacing_kji_mm
        self._true_boxes = ndimage.find_objects(true_labels)
        self._found_boxes = ndimage.find_objects(found.labels)

    def has(self, label: int) -> bool:
        """Whether the truth has this vertebra."""
        return _box(self._true_boxes, label) is not None

    def agreement(self, label: int, found_label: int) -> Agreement:
        """Compare a true vertebra with a found one."""
        box = self._around(label, found_label)
        truth, found = self._labels[box] == label, self._found.labels[box] == found_label
        body = None
        if self._bodies is not None and (self._bodies[box] == label).any():
            body = dice(self._bodies[box] == label, self._found.bodies[box] == found_label)
        return Agreement(dice(truth, found), hausdorff95_mm(truth, found, self._spacing), body)

    def covering(self, label: int) -> int:
        """Found vertebra with most voxels inside a true one; 0 if none touches it."""
        box = self._around(label, label)
        counts = np.bincount(self._found.labels[box][self._labels[box] == label], minlength=256)
        best = max(map(int, VertebraLevel), key=lambda each: int(counts[each]))
        return best if counts[best] else 0

    def _around(self, label: int, found_label: int) -> Box:
        mine = _box(self._true_boxes, label)
        if mine is None:
            raise KeyError(label)
        other = _box(self._found_boxes, found_label) or mine
        return tuple(
            slice(min(a.start, b.start), max(a.stop, b.stop))
            for a, b in zip(mine, other, strict=True)
        )


def _box(boxes: list[Box | None], label: int) -> Box | None:
    return boxes[label - 1] if label <= len(boxes) else None
