"""A voxel grid in the patient frame, cut into the boxes in which single shapes are evaluated."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from inference.phantom.shapes import Field, Points, Vector
from inference.volume import Affine

Box = tuple[slice, slice, slice]
Displacement = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Grid:
    """Voxel centres of a regular grid.

    Attributes
    ----------
    affine_lps
        4x4, index (k, j, i, 1) to LPS mm.
    shape_kji
        Number of voxels along k, j, i.
    displacement_lps_mm
        Optional (k, j, i, 3): added to each voxel's position before the anatomy is looked up, an
        elastic deformation. Should stay below `margin_mm` in size.
    margin_mm
        Added around boxes so that displaced voxels are not missed.
    """

    affine_lps: Affine
    shape_kji: tuple[int, int, int]
    displacement_lps_mm: Displacement | None = None
    margin_mm: float = 0.0

    def box(
        self, low: Vector, high: Vector, frame: tuple[npt.NDArray[np.float64], Vector]
    ) -> Box | None:
        """Index box of the box `low`..`high` given in a frame (rotation, origin in LPS).

        None where it misses the grid.
        """
        rotation, origin = frame
        inverse = self._inverse
        turn = inverse[:3, :3] @ rotation
        center = turn @ ((low + high) / 2) + inverse[:3, :3] @ origin + inverse[:3, 3]
        reach = np.abs(turn) @ ((high - low) / 2) + self._index_reach(self.margin_mm)
        first = np.ceil(center - reach)
        last = np.floor(center + reach) + 1
        slices = []
        for start, stop, size in zip(first.tolist(), last.tolist(), self.shape_kji, strict=True):
            begin, end = max(int(start), 0), min(int(stop), size)
            if end <= begin:
                return None
            slices.append(slice(begin, end))
        return slices[0], slices[1], slices[2]

    def near(self, points_lps_mm: Vector, reach_mm: float) -> npt.NDArray[np.bool_]:
        """Which of the points (n, 3) lie within `reach_mm` of the grid."""
        inverse = self._inverse
        index = points_lps_mm @ inverse[:3, :3].T + inverse[:3, 3]
        reach = self._index_reach(reach_mm + self.margin_mm)
        inside = (index >= -reach) & (index <= np.array(self.shape_kji) - 1 + reach)
        return np.asarray(inside.all(axis=1))

    @cached_property
    def _inverse(self) -> npt.NDArray[np.float64]:
        return np.asarray(np.linalg.inv(self.affine_lps), np.float64)

    def _index_reach(self, distance_mm: float) -> Vector:
        reach: Vector = np.abs(self._inverse[:3, :3]).sum(axis=1) * distance_mm
        return reach

    def local_points(self, box: Box, rotation: npt.NDArray[np.float64], origin: Vector) -> Points:
        """Coordinates of the box's voxels in a frame, three float32 arrays that broadcast.

        On grids parallel to the frame (no displacement) the arrays stay thin, which is what makes
        upright phantoms quick.
        """
        matrix = rotation.T @ self.affine_lps[:3, :3]
        offset = rotation.T @ (self.affine_lps[:3, 3] - origin)
        k, j, i = (np.arange(s.start, s.stop, dtype=np.float64) for s in box)
        axes = (k[:, None, None], j[None, :, None], i[None, None, :])
        coordinates: list[Field] = []
        for row in range(3):
            total: npt.NDArray[np.float32] = np.full((1, 1, 1), offset[row], np.float32)
            for column, axis in enumerate(axes):
                if abs(matrix[row, column]) > 1e-9:
                    total = total + (matrix[row, column] * axis).astype(np.float32)
            coordinates.append(total)
        if self.displacement_lps_mm is not None:
            shift = self.displacement_lps_mm[box] @ rotation.astype(np.float32)
            coordinates = [c + shift[..., n] for n, c in enumerate(coordinates)]
        return coordinates[0], coordinates[1], coordinates[2]


def inner_box(outer: Box, inner: Box) -> Box | None:
    """`inner` relative to the start of `outer`, clipped to it; None where they are disjoint."""
    out = []
    for a, b in zip(outer, inner, strict=True):
        first, last = max(a.start, b.start), min(a.stop, b.stop)
        if last <= first:
            return None
        out.append(slice(first - a.start, last - a.start))
    return out[0], out[1], out[2]


def crop(points: Points, box: Box) -> Points:
    """Points of a sub-box; thin (broadcast) axes stay thin."""

    def cut(values: Field) -> Field:
        parts = tuple(s if n > 1 else slice(0, 1) for s, n in zip(box, values.shape, strict=True))
        return values[parts]

    x, y, z = points
    return cut(x), cut(y), cut(z)
