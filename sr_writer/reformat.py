"""Reformats along the curved spine: a sheet that follows the body centres through the volume.

A sheet keeps the distances of one patient axis and of the body axis true (pixels are square, in
mm), and bends only in the third direction. So a scoliotic spine stays inside a sagittal sheet.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from inference.volume import CTVolume, LabelArray

FloatArray = npt.NDArray[np.float64]

MARGIN_HEAD_FOOT_MM = 45.0
"""Shown above the highest and below the lowest body centre."""

_SLAB_OFFSETS_MM = (-1.5, 0.0, 1.5)
"""Parallel sheets averaged into the picture, against noise."""

_MAX_ROWS = 900
_AIR_HU = -1024.0


@dataclass(frozen=True)
class SheetPlane:
    """Which patient axis runs along the columns, and how far the sheet reaches.

    Attributes
    ----------
    across_axis
        LPS axis along the columns: 1 (y, anterior to posterior) or 0 (x, right to left).
    depth_axis
        LPS axis in which the sheet bends.
    reach_mm
        Distance shown before the first and behind the last body centre along `across_axis`.
    letters
        Orientation letters of the left and right edge.
    """

    across_axis: int
    depth_axis: int
    reach_mm: tuple[float, float]
    letters: tuple[str, str]


SAGITTAL = SheetPlane(1, 0, (55.0, 75.0), ("A", "P"))
CORONAL = SheetPlane(0, 1, (60.0, 60.0), ("R", "L"))


@dataclass(frozen=True)
class CurvedSheet:
    """One reformat; row 0 is the head end, column 0 the edge of `plane.letters[0]`.

    Attributes
    ----------
    hu
        float32 (rows, columns).
    labels, bodies
        uint8 (rows, columns), VerSe labels.
    pixel_mm
        Size of a pixel in both directions.
    origin_mm
        LPS z of row 0 and LPS coordinate along `plane.across_axis` of column 0.
    """

    plane: SheetPlane
    hu: npt.NDArray[np.float32]
    labels: LabelArray
    bodies: LabelArray
    pixel_mm: float
    origin_mm: tuple[float, float]

    def row_column(self, point_lps_mm: npt.ArrayLike) -> tuple[float, float]:
        """Row and column of a patient point projected along the depth axis."""
        point = np.asarray(point_lps_mm, dtype=np.float64)
        row = (self.origin_mm[0] - point[2]) / self.pixel_mm
        column = (point[self.plane.across_axis] - self.origin_mm[1]) / self.pixel_mm
        return float(row), float(column)


def curved_sheet(
    volume: CTVolume,
    masks: tuple[LabelArray, LabelArray],
    centroids_lps_mm: FloatArray,
    plane: SheetPlane,
) -> CurvedSheet:
    """Sample a sheet through the body centres.

    Parameters
    ----------
    masks
        Whole-vertebra and body label maps on the volume's grid.
    centroids_lps_mm
        (n, 3) body centres; without any, the sheet runs through the middle of the volume.
    """
    low, high = _field_of_view(volume)
    centres = centroids_lps_mm if len(centroids_lps_mm) else ((low + high) / 2)[None, :]
    z_top = min(high[2], centres[:, 2].max() + MARGIN_HEAD_FOOT_MM)
    z_bottom = max(low[2], centres[:, 2].min() - MARGIN_HEAD_FOOT_MM)
    axis = plane.across_axis
    first = max(low[axis], centres[:, axis].min() - plane.reach_mm[0])
    last = min(high[axis], centres[:, axis].max() + plane.reach_mm[1])
    pixel_mm = max(0.6, (z_top - z_bottom) / _MAX_ROWS)
    z = np.arange(z_top, z_bottom - 1e-6, -pixel_mm)
    across = np.arange(first, last + 1e-6, pixel_mm)
    points = _sheet_points(z, across, centres, plane)
    index = volume.to_index_kji(points)
    return CurvedSheet(
        plane=plane,
        hu=_mean_hu(volume, index, plane),
        labels=_nearest(masks[0], index),
        bodies=_nearest(masks[1], index),
        pixel_mm=float(pixel_mm),
        origin_mm=(float(z_top), float(first)),
    )


def _field_of_view(volume: CTVolume) -> tuple[FloatArray, FloatArray]:
    """Lowest and highest LPS coordinates of voxel centres."""
    last = np.array(volume.shape_kji) - 1
    corners = np.array(np.meshgrid(*[(0, n) for n in last])).reshape(3, -1).T
    points = volume.to_lps_mm(corners)
    return points.min(axis=0), points.max(axis=0)


def _sheet_points(
    z: FloatArray, across: FloatArray, centres: FloatArray, plane: SheetPlane
) -> FloatArray:
    ordered = centres[np.argsort(centres[:, 2])]
    depth = np.interp(z, ordered[:, 2], ordered[:, plane.depth_axis])
    points = np.empty((len(z), len(across), 3))
    points[..., 2] = z[:, None]
    points[..., plane.across_axis] = across[None, :]
    points[..., plane.depth_axis] = depth[:, None]
    return points


def _mean_hu(volume: CTVolume, index: FloatArray, plane: SheetPlane) -> npt.NDArray[np.float32]:
    step = np.linalg.inv(volume.affine_lps)[:3, plane.depth_axis]
    total = np.zeros(index.shape[:2], dtype=np.float32)
    for offset_mm in _SLAB_OFFSETS_MM:
        coordinates = np.moveaxis(index + offset_mm * step, -1, 0)
        total += ndimage.map_coordinates(
            volume.hu, coordinates, output=np.float32, order=1, mode="nearest", prefilter=False
        )
    total /= len(_SLAB_OFFSETS_MM)
    total[~_inside(index, volume.shape_kji)] = _AIR_HU
    return total


def _inside(index: FloatArray, shape: tuple[int, int, int]) -> npt.NDArray[np.bool_]:
    upper = np.array(shape) - 0.5
    return np.asarray(((index >= -0.5) & (index < upper)).all(axis=-1))


def _nearest(mask: LabelArray, index: FloatArray) -> LabelArray:
    k, j, i = mask.shape
    inside = _inside(index, (k, j, i))
    rounded = np.where(inside[..., None], np.floor(index + 0.5), 0).astype(np.intp)
    sampled = mask[rounded[..., 0], rounded[..., 1], rounded[..., 2]]
    return np.where(inside, sampled, 0).astype(np.uint8)
