"""Anterior, middle and posterior height of one vertebral body.

Stations at 15, 50 and 85 % of the body's anteroposterior extent at mid-height (15 % from the
posterior wall is posterior), in the mid-sagittal slab, along the body's own cranial axis.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from inference.body_axes import (
    BodyFrame,
    Columns,
    anteroposterior_extent_mm,
    columns_at,
)
from inference.body_surface import BodySurface
from inference.endplates import Edge, Neighbourhood, locate
from inference.report import Heights

SLAB_HALF_MM = 4.0
STATIONS = {"posterior": 0.15, "middle": 0.50, "anterior": 0.85}
STATION_HALF_MM = 2.0
LOCAL_SURFACE_HALF_MM = 7.0
OUTSIDE_MM = 4.0
INSIDE_MM = 6.0
MASK_SD_MM = 0.6
"""How far a good mask's surface may be off, beside its voxel's own uncertainty."""
TRABECULAR_SPREAD_HU = 60.0
SMALLEST_HEIGHT_MM = 3.0
LARGEST_HEIGHT_MM = 45.0

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class SlabVoxels:
    """Voxels of the mid-sagittal slab in the body's frame.

    Attributes
    ----------
    position_mm
        (n, 3) anterior, left, cranial of the voxel centres.
    hu
        (n,) HU.
    box_mm
        (3, 3), row g: grid axis g's voxel step in the frame.
    trabecular_hu
        Median in the depth of the body, and how much the bone may differ from it elsewhere.
    """

    position_mm: FloatArray
    hu: FloatArray
    box_mm: FloatArray
    trabecular_hu: tuple[float, float]


@dataclass(frozen=True)
class MeasuredHeights:
    """Heights with the standard uncertainty of one height."""

    heights_mm: Heights
    uncertainty_mm: float


@dataclass(frozen=True)
class _LocalSurface:
    """Second-order surface z(s, x) of an endplate around a station, from the mask."""

    station_mm: float
    coefficients: FloatArray

    def at(self, s: FloatArray, x: FloatArray) -> FloatArray:
        return np.asarray(_terms(s - self.station_mm, x) @ self.coefficients)

    @property
    def normal(self) -> FloatArray:
        """Upward unit normal at the station, in the frame."""
        up = np.array([-self.coefficients[1], -self.coefficients[3], 1.0])
        return np.asarray(up / np.linalg.norm(up))


def measure_heights(
    surface: BodySurface, frame: BodyFrame, excluded: npt.NDArray[np.bool_]
) -> MeasuredHeights | None:
    """Heights of one complete body; None if its surface cannot be followed.

    Parameters
    ----------
    excluded
        bool, shape of the surface's crop: voxels that say nothing about this body's endplates
        (other vertebrae, metal, cement).
    """
    extent = anteroposterior_extent_mm(surface, frame)
    if extent is None or extent[1] - extent[0] < 5.0:
        return None
    voxels = slab_voxels(surface, frame, excluded)
    columns = _slab_columns(surface, frame, extent)
    values: dict[str, float] = {}
    variances = []
    for name, fraction in STATIONS.items():
        station = extent[0] + fraction * (extent[1] - extent[0])
        measured = _station_height(columns, voxels, station)
        if measured is None:
            return None
        values[name] = measured[0]
        variances.append(measured[1] ** 2)
    heights = Heights(**values)
    if not all(SMALLEST_HEIGHT_MM < h < LARGEST_HEIGHT_MM for h in values.values()):
        return None
    return MeasuredHeights(heights, float(np.sqrt(np.mean(variances))))


def slab_voxels(
    surface: BodySurface, frame: BodyFrame, excluded: npt.NDArray[np.bool_]
) -> SlabVoxels:
    """Voxels of the slab with their HU; `excluded` ones are left out."""
    shape = surface.distance_mm.shape
    start = np.array(surface.start_kji)
    box = tuple(slice(s, s + n) for s, n in zip(start, shape, strict=True))
    hu = surface.volume.hu[box].astype(np.float64)
    deep = surface.distance_mm > 0.6 * surface.distance_mm.max()
    usable = deep & ~excluded
    core = float(np.median(hu[usable])) if usable.any() else 150.0
    index = np.argwhere(~excluded) + start
    position = frame.from_lps_mm(surface.volume.to_lps_mm(index))
    step = surface.volume.affine_lps[:3, :3].T @ frame.axes.T
    half = max(SLAB_HALF_MM, 0.6 * float(np.abs(step[:, 1]).max()))
    near = np.abs(position[:, 1]) <= half
    return SlabVoxels(position[near], hu[~excluded][near], step, (core, TRABECULAR_SPREAD_HU))


def _slab_columns(surface: BodySurface, frame: BodyFrame, extent: tuple[float, float]) -> Columns:
    back, front = extent
    depth = front - back
    s = np.linspace(back + 0.06 * depth, front - 0.06 * depth, 27)
    x = np.linspace(-5.0, 5.0, 7)
    grid_s, grid_x = np.meshgrid(s, x, indexing="ij")
    return columns_at(surface, frame, grid_s.ravel(), grid_x.ravel()).hit()


def _station_height(
    columns: Columns, voxels: SlabVoxels, station: float
) -> tuple[float, float] | None:
    """Height at one station and its standard uncertainty."""
    near = np.abs(columns.anterior_mm - station) <= LOCAL_SURFACE_HALF_MM
    if near.sum() < 12:
        return None
    s, x = columns.anterior_mm[near], columns.left_mm[near]
    upper = _local_surface(s, x, columns.upper_mm[near], station)
    lower = _local_surface(s, x, columns.lower_mm[near], station)
    mask_height = float(upper.coefficients[0] - lower.coefficients[0])
    top = _edge(upper, voxels, mask_height, 1.0)
    bottom = _edge(lower, voxels, mask_height, -1.0)
    # offsets are along the normals; along the cranial axis they are longer
    height = mask_height + top.offset_mm / upper.normal[2] + bottom.offset_mm / lower.normal[2]
    return float(height), float(np.hypot(top.sd_mm, bottom.sd_mm))


def _edge(surface: _LocalSurface, voxels: SlabVoxels, height_mm: float, outward: float) -> Edge:
    normal = surface.normal * outward
    box = np.abs(voxels.box_mm @ normal)
    thick = float(np.linalg.norm(box))
    anterior_step = float(np.abs(voxels.box_mm[:, 0]).max())
    position = voxels.position_mm
    beside = np.abs(position[:, 0] - surface.station_mm) <= max(
        STATION_HALF_MM, 0.6 * anterior_step
    )
    z_surface = surface.at(position[:, 0], position[:, 1])
    depth = (z_surface - position[:, 2]) * outward * abs(normal[2])
    inside = min(max(INSIDE_MM, 1.2 * thick), 0.5 * height_mm)
    near = beside & (depth > -max(OUTSIDE_MM, 1.2 * thick)) & (depth < inside)
    mask_sd = float(np.hypot(MASK_SD_MM, 0.3 * thick))
    return locate(Neighbourhood(voxels.hu[near], depth[near], box), voxels.trabecular_hu, mask_sd)


def _local_surface(s: FloatArray, x: FloatArray, z: FloatArray, station: float) -> _LocalSurface:
    design = _terms(s - station, x)
    weight: FloatArray = np.exp(-0.5 * ((s - station) / (0.6 * LOCAL_SURFACE_HALF_MM)) ** 2)
    solution = np.zeros(4)
    for _ in range(3):
        root = np.sqrt(weight)
        solution = np.asarray(np.linalg.lstsq(design * root[:, None], z * root, rcond=None)[0])
        residual = np.abs(z - design @ solution)
        weight *= np.minimum(1.0, 1.0 / np.maximum(residual, 1e-6))
    return _LocalSurface(station, solution)


def _terms(s: FloatArray, x: FloatArray) -> FloatArray:
    return np.stack([np.ones_like(s), s, s**2 / 10.0, x], axis=-1)


def excluded_voxels(
    surface: BodySurface, labels: npt.NDArray[np.uint8], foreign: npt.NDArray[np.bool_], label: int
) -> npt.NDArray[np.bool_]:
    """Voxels in the surface's crop that other vertebrae or foreign material occupy or touch."""
    box = tuple(
        slice(s, s + n) for s, n in zip(surface.start_kji, surface.distance_mm.shape, strict=True)
    )
    others = (labels[box] != 0) & (labels[box] != label)
    return np.asarray(ndimage.binary_dilation(others) | foreign[box])
