"""Canonical axis order: the same anatomy in the same array order, whatever the source's order.

Canonical means axis 0 runs closest to the patient's superior direction (+z), axis 1 closest to
posterior (+y) and axis 2 closest to left (+x). Only axes are exchanged and reversed: no voxel is
resampled, so an oblique volume stays oblique and `AxisOrder.restore` is exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from inference.volume import Affine

_Scalar = TypeVar("_Scalar", bound=np.generic)

_CANONICAL_LPS = (2, 1, 0)
"""LPS axis that canonical array axes 0, 1 and 2 run along: z, y, x."""


@dataclass(frozen=True)
class AxisOrder:
    """How the canonical axes were taken from the source axes.

    Attributes
    ----------
    source_axis
        ``source_axis[c]`` is the source axis (0 = k, 1 = j, 2 = i) that became canonical axis c.
    reversed_axis
        ``reversed_axis[c]`` says that the source axis was reversed on the way.
    """

    source_axis: tuple[int, int, int]
    reversed_axis: tuple[bool, bool, bool]

    def apply(self, array: npt.NDArray[_Scalar]) -> npt.NDArray[_Scalar]:
        """Take an array (..., k, j, i) from source to canonical order; C-contiguous result."""
        lead = array.ndim - 3
        moved = array.transpose(*range(lead), *(lead + axis for axis in self.source_axis))
        return np.ascontiguousarray(np.flip(moved, self._reversed(lead)))

    def restore(self, array: npt.NDArray[_Scalar]) -> npt.NDArray[_Scalar]:
        """Take an array in canonical order (..., z, y, x) back to source order (..., k, j, i)."""
        lead = array.ndim - 3
        back = np.argsort(self.source_axis)
        unflipped = np.flip(array, self._reversed(lead))
        moved = unflipped.transpose(*range(lead), *(lead + int(axis) for axis in back))
        return np.ascontiguousarray(moved)

    def apply_affine(self, affine_lps: Affine, shape_kji: tuple[int, int, int]) -> Affine:
        """Affine of `apply`'s result, for a source array of `shape_kji`."""
        canonical = np.array(affine_lps, dtype=np.float64)
        for axis, (source, is_reversed) in enumerate(
            zip(self.source_axis, self.reversed_axis, strict=True)
        ):
            step = affine_lps[:3, source]
            canonical[:3, axis] = -step if is_reversed else step
            if is_reversed:
                canonical[:3, 3] += step * (shape_kji[source] - 1)
        return canonical

    def _reversed(self, lead: int) -> tuple[int, ...]:
        return tuple(lead + axis for axis, flag in enumerate(self.reversed_axis) if flag)


def canonical_order(affine_lps: Affine) -> AxisOrder:
    """Return the permutation and reversals that bring an affine closest to canonical order.

    Closest is the largest sum of the absolute direction cosines over the six permutations.
    """
    directions = affine_lps[:3, :3] / np.linalg.norm(affine_lps[:3, :3], axis=0)

    def closeness(order: tuple[int, ...]) -> float:
        pairs = zip(_CANONICAL_LPS, order, strict=True)
        return float(sum(abs(directions[lps, source]) for lps, source in pairs))

    first, second, third = max(permutations(range(3)), key=closeness)
    signs = [
        bool(directions[lps, source] < 0)
        for lps, source in zip(_CANONICAL_LPS, (first, second, third), strict=True)
    ]
    return AxisOrder((first, second, third), (signs[0], signs[1], signs[2]))


def to_canonical(
    array_kji: npt.NDArray[_Scalar], affine_lps: Affine
) -> tuple[npt.NDArray[_Scalar], Affine, AxisOrder]:
    """Reorder an array so that its axes run to the head, to the back and to the left.

    Parameters
    ----------
    array_kji
        Shape (k, j, i), any dtype.
    affine_lps
        4x4, index (k, j, i, 1) to LPS mm of the voxel's centre.

    Returns
    -------
    tuple
        The reordered array (C-contiguous), its affine, and the `AxisOrder` that undoes it.
    """
    order = canonical_order(affine_lps)
    k, j, i = array_kji.shape
    return order.apply(array_kji), order.apply_affine(affine_lps, (k, j, i)), order
