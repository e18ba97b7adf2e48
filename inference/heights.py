"""Anterior, middle and posterior height of one vertebral body.

Stations at 15, 50 and 85 % of the body's anteroposterior extent at mid-height (15 % from the
posterior wall is posterior), in the mid-sagittal slab, along the body's own cranial axis.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from inference.bodies import signed_distance_mm
from inference.body_axes import (
    BodyFrame,
    Columns,
    anteroposterior_extent_mm,
    columns_at,
)
from inference.body_surface import BodySurface
from inference.endplates import Edge, Neighbourhood, Tissues, locate
from inference.report import Heights
from inference.volume import LabelArray

SLAB_HALF_MM = 4.0
STATIONS = {"posterior": 0.15, "middle": 0.50, "anterior": 0.85}
STATION_HALF_MM = 2.0
COARSE_SHARE = 1.1
"""Coarse voxels count for a station up to this many voxels away."""
LOCAL_SURFACE_HALF_MM = 7.0
OUTSIDE_MM = 4.0
INSIDE_MM = 6.0
MASK_SD_MM = 0.6
"""How far a good mask's surface may be off, beside its voxel's own uncertainty."""
DEFAULT_TRABECULAR_HU = 150.0
FAR_MM = 99.0
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
    beyond_mm
        (n,) signed distance to the other vertebrae's surfaces, negative outside them.
    box_mm
        (3, 3), row g: grid axis g's voxel step in the frame.
    trabecular_hu
        Median in the depth of the body.
    """

    position_mm: FloatArray
    hu: FloatArray
    beyond_mm: FloatArray
    box_mm: FloatArray
    trabecular_hu: float


@dataclass(frozen=True)
class Surroundings:
    """What else lies in a body's crop.

    Attributes
    ----------
    excluded
        bool (k, j, i), voxels of other vertebrae and of foreign material.
    beyond_mm
        (k, j, i), signed distance to the other vertebrae's surfaces, negative outside them.
    """

    excluded: npt.NDArray[np.bool_]
    beyond_mm: FloatArray


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
    def at_station_mm(self) -> float:
        return float(self.coefficients[0])

    @property
    def normal(self) -> FloatArray:
        """Upward unit normal at the station, in the frame."""
        up = np.array([-self.coefficients[1], -self.coefficients[3], 1.0])
        return np.asarray(up / np.linalg.norm(up))


@dataclass(frozen=True)
class _Station:
    """Both endplates at one place along the body."""

    upper: _LocalSurface
    lower: _LocalSurface

    def edges(self, voxels: SlabVoxels, tissues: Tissues) -> tuple[Edge, Edge]:
        return (
            _edge(self.upper, self.lower, voxels, tissues),
            _edge(self.lower, self.upper, voxels, tissues),
        )

    def height(self, voxels: SlabVoxels, tissues: Tissues) -> tuple[float, float]:
        """Height along the cranial axis and its standard uncertainty."""
        top, bottom = self.edges(voxels, tissues)
        height = self.upper.at_station_mm - self.lower.at_station_mm
        # offsets are along the normals; along the cranial axis they are longer
        height += top.offset_mm / self.upper.normal[2] + bottom.offset_mm / self.lower.normal[2]
        return height, float(np.hypot(top.sd_mm, bottom.sd_mm))


def measure_heights(
    surface: BodySurface, frame: BodyFrame, around: Surroundings
) -> MeasuredHeights | None:
    """Heights of one complete body; None if its surface cannot be followed."""
    extent = anteroposterior_extent_mm(surface, frame)
    if extent is None or extent[1] - extent[0] < 5.0:
        return None
    voxels = slab_voxels(surface, frame, around)
    columns = _slab_columns(surface, frame, extent)
    stations = {
        name: _station(columns, extent[0] + fraction * (extent[1] - extent[0]))
        for name, fraction in STATIONS.items()
    }
    found = {name: station for name, station in stations.items() if station is not None}
    if len(found) < len(STATIONS):
        return None
    tissues = _agreed_tissues(found.values(), voxels)
    measured = {name: station.height(voxels, tissues) for name, station in found.items()}
    if not all(SMALLEST_HEIGHT_MM < h < LARGEST_HEIGHT_MM for h, _ in measured.values()):
        return None
    heights = Heights(**{name: float(height) for name, (height, _) in measured.items()})
    variances = [sd**2 for _, sd in measured.values()]
    return MeasuredHeights(heights, float(np.sqrt(np.mean(variances))))


def slab_voxels(surface: BodySurface, frame: BodyFrame, around: Surroundings) -> SlabVoxels:
    """Voxels of the slab with their HU, without those that others occupy."""
    start = np.array(surface.start_kji)
    hu = surface.volume.hu[surface.box].astype(np.float64)
    usable = ~around.excluded
    deep = usable & (surface.distance_mm > 0.6 * surface.distance_mm.max())
    core = float(np.median(hu[deep])) if deep.any() else DEFAULT_TRABECULAR_HU
    position = frame.from_lps_mm(surface.volume.to_lps_mm(np.argwhere(usable) + start))
    step = surface.volume.affine_lps[:3, :3].T @ frame.axes.T
    half = max(SLAB_HALF_MM, COARSE_SHARE * float(np.abs(step[:, 1]).max()))
    near = np.abs(position[:, 1]) <= half
    beyond = around.beyond_mm[usable][near]
    return SlabVoxels(position[near], hu[usable][near], beyond, step, core)


def _slab_columns(surface: BodySurface, frame: BodyFrame, extent: tuple[float, float]) -> Columns:
    back, front = extent
    depth = front - back
    s = np.linspace(back + 0.06 * depth, front - 0.06 * depth, 27)
    x = np.linspace(-5.0, 5.0, 7)
    grid_s, grid_x = np.meshgrid(s, x, indexing="ij")
    return columns_at(surface, frame, grid_s.ravel(), grid_x.ravel()).hit()


def _station(columns: Columns, at_mm: float) -> _Station | None:
    near = np.abs(columns.anterior_mm - at_mm) <= LOCAL_SURFACE_HALF_MM
    if near.sum() < 12:
        return None
    s, x = columns.anterior_mm[near], columns.left_mm[near]
    upper = _local_surface(s, x, columns.upper_mm[near], at_mm)
    return _Station(upper, _local_surface(s, x, columns.lower_mm[near], at_mm))


def _agreed_tissues(stations: Iterable[_Station], voxels: SlabVoxels) -> Tissues:
    """What all stations together say about disc, bone and shell of this body."""
    expected = Tissues.expected(voxels.trabecular_hu)
    edges = [edge for station in stations for edge in station.edges(voxels, expected)]
    seen = [edge.tissues_hu for edge in edges if edge.tissues_hu is not None]
    return expected.agreed(np.array(seen))


def _edge(plate: _LocalSurface, other: _LocalSurface, voxels: SlabVoxels, tissues: Tissues) -> Edge:
    outward = 1.0 if plate.at_station_mm > other.at_station_mm else -1.0
    box = np.abs(voxels.box_mm @ plate.normal)
    thick = float(np.linalg.norm(box))
    position = voxels.position_mm
    reach = max(STATION_HALF_MM, COARSE_SHARE * float(np.abs(voxels.box_mm[:, 0]).max()))
    beside = np.abs(position[:, 0] - plate.station_mm) <= reach
    z_surface = plate.at(position[:, 0], position[:, 1])
    depth = (z_surface - position[:, 2]) * outward * plate.normal[2]
    half = 0.5 * abs(plate.at_station_mm - other.at_station_mm)
    inside = min(max(INSIDE_MM, 1.2 * thick), half)
    near = beside & (depth > -max(OUTSIDE_MM, 1.6 * thick)) & (depth < inside)
    mask_sd = float(np.hypot(MASK_SD_MM, 0.3 * thick))
    volume = float(np.abs(np.linalg.det(voxels.box_mm)))
    here = Neighbourhood(voxels.hu[near], depth[near], voxels.beyond_mm[near], box, volume)
    return locate(here, tissues, mask_sd)


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


def surroundings(
    surface: BodySurface, labels: LabelArray, foreign: npt.NDArray[np.bool_], label: int
) -> Surroundings:
    """Other vertebrae (any other label) and foreign material in the surface's crop."""
    here = labels[surface.box]
    others = (here != 0) & (here != label)
    beyond = np.full(here.shape, -FAR_MM)
    if others.any():
        beyond = signed_distance_mm(others, surface.volume.spacing_kji_mm)
    return Surroundings(np.asarray(others | foreign[surface.box]), beyond)
