"""Anterior, middle and posterior height of one vertebral body.

Stations at 15, 50 and 85 % of the body's anteroposterior extent at mid-height (15 % from the
posterior wall is posterior), in the mid-sagittal slab, along the body's own cranial axis.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from inference.body_axes import (
    BodyFrame,
    Columns,
    anteroposterior_extent_mm,
    columns_at,
)
from inference.body_surface import BodySurface
from inference.endplate_pits import Pit, bridged, find_pits
from inference.endplates import Edge, Neighbourhood, Tissues, locate
from inference.report import SUPPLIED_SURFACE_SD_MM, Heights, Measured
from inference.slab import COARSE_SHARE, SLAB_HALF_MM, SlabVoxels, Surroundings, slab_voxels

STATIONS = {"posterior": 0.15, "middle": 0.50, "anterior": 0.85}
STATION_HALF_MM = 2.0
LOCAL_SURFACE_HALF_MM = 7.0
SPOILED_SHARE = 0.1
"""Of a station's voxels; with more metal, cement or streaks there, the image says nothing."""
SURE_MASK_SD_MM = SUPPLIED_SURFACE_SD_MM
"""Masks that may be further off are not believed without the image: networks lose millimetres of
bone beside metal and cement."""
OUTSIDE_MM = 4.0
INSIDE_MM = 6.0
SMALLEST_EXTENT_MM = 5.0
SMALLEST_HEIGHT_MM = 3.0
LARGEST_HEIGHT_MM = 45.0

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class MeasuredHeights:
    """Heights with the standard uncertainty of each, and the pits that were bridged."""

    heights_mm: Heights
    sd_mm: Heights
    extent_mm: tuple[float, float]
    """Where the body begins and ends along the stations' axis, in its frame."""
    pits: tuple[Pit, ...] = ()

    @property
    def uncertainty_mm(self) -> float:
        """Standard uncertainty of one height (root mean square of the three)."""
        return float(np.sqrt(np.mean([sd**2 for sd in vars(self.sd_mm).values()])))

    @property
    def angle_deg(self) -> Measured:
        """Angle between the endplates along the stations, positive where the front is lower."""
        apart = (STATIONS["anterior"] - STATIONS["posterior"]) * (
            self.extent_mm[1] - self.extent_mm[0]
        )
        drop = self.heights_mm.posterior - self.heights_mm.anterior
        spread = float(np.hypot(self.sd_mm.posterior, self.sd_mm.anterior)) / apart
        return Measured(float(np.degrees(np.arctan2(drop, apart))), float(np.degrees(spread)))


@dataclass(frozen=True)
class _LocalSurface:
    """Second-order surface z(s, x) of an endplate around a station; `sd_mm` is its doubt.

    `over_pit`: drawn across the mouth of a pit, where the image shows its floor.
    """

    station_mm: float
    coefficients: FloatArray
    sd_mm: float
    over_pit: bool = False

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

    def is_hidden(self, voxels: SlabVoxels) -> bool:
        """Whether metal or cement hides an endplate here."""
        upper = _neighbourhood(self.upper, self.lower, voxels)
        return upper is None or _neighbourhood(self.lower, self.upper, voxels) is None

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
    """Heights of one complete body; None if its surface cannot be followed.

    Where metal or cement hides an endplate only a mask that somebody drew is believed.
    """
    extent = anteroposterior_extent_mm(surface, frame)
    if extent is None or extent[1] - extent[0] < SMALLEST_EXTENT_MM:
        return None
    pits = find_pits(surface, frame, extent)
    voxels = slab_voxels(surface, frame, around)
    columns = bridged(_slab_columns(surface, frame, extent), pits)
    positions = {name: extent[0] + at * (extent[1] - extent[0]) for name, at in STATIONS.items()}
    found = {name: _station(columns, voxels, at, pits) for name, at in positions.items()}
    stations = {name: station for name, station in found.items() if station is not None}
    if len(stations) < len(STATIONS) or _is_unsure(stations.values(), voxels):
        return None
    tissues = _agreed_tissues(stations.values(), voxels)
    measured = {name: station.height(voxels, tissues) for name, station in stations.items()}
    if not all(SMALLEST_HEIGHT_MM < h < LARGEST_HEIGHT_MM for h, _ in measured.values()):
        return None
    heights = Heights(**{name: float(height) for name, (height, _) in measured.items()})
    spread = Heights(**{name: float(sd) for name, (_, sd) in measured.items()})
    return MeasuredHeights(heights, spread, extent, pits)


def _is_unsure(stations: Iterable[_Station], voxels: SlabVoxels) -> bool:
    if voxels.mask_sd_mm <= SURE_MASK_SD_MM:
        return False
    return any(station.is_hidden(voxels) for station in stations)


def _slab_columns(surface: BodySurface, frame: BodyFrame, extent: tuple[float, float]) -> Columns:
    back, front = extent
    depth = front - back
    s = np.linspace(back + 0.06 * depth, front - 0.06 * depth, 27)
    x = np.linspace(-5.0, 5.0, 7)
    grid_s, grid_x = np.meshgrid(s, x, indexing="ij")
    return columns_at(surface, frame, grid_s.ravel(), grid_x.ravel()).hit()


def _station(
    columns: Columns, voxels: SlabVoxels, at_mm: float, pits: tuple[Pit, ...]
) -> _Station | None:
    near = np.abs(columns.anterior_mm - at_mm) <= LOCAL_SURFACE_HALF_MM
    if near.sum() < 12:
        return None
    s, x = columns.anterior_mm[near], columns.left_mm[near]
    sd = mask_sd_mm(voxels)
    upper = _local_surface(s, x, columns.upper_mm[near], at_mm)
    lower = _local_surface(s, x, columns.lower_mm[near], at_mm)
    over = [pit.upper for pit in pits if _lies_over(pit, at_mm)]
    return _Station(
        _LocalSurface(at_mm, upper, sd, True in over),
        _LocalSurface(at_mm, lower, sd, False in over),
    )


def _lies_over(pit: Pit, at_mm: float) -> bool:
    """Whether voxels of this station could show the pit's floor instead of the endplate."""
    s = np.linspace(at_mm - STATION_HALF_MM, at_mm + STATION_HALF_MM, 5)
    grid_s, grid_x = np.meshgrid(s, np.linspace(-SLAB_HALF_MM, SLAB_HALF_MM, 5))
    return bool(pit.covers(grid_s, grid_x).any())


def mask_sd_mm(voxels: SlabVoxels) -> float:
    """How far the mask's surface may be off along the cranial axis."""
    return float(np.hypot(voxels.mask_sd_mm, 0.3 * np.linalg.norm(voxels.box_mm[:, 2])))


def _agreed_tissues(stations: Iterable[_Station], voxels: SlabVoxels) -> Tissues:
    """What all stations together say about disc, bone and shell of this body."""
    expected = Tissues.expected(voxels.trabecular_hu)
    edges = [edge for station in stations for edge in station.edges(voxels, expected)]
    seen = [edge.tissues_hu for edge in edges if edge.tissues_hu is not None]
    return expected.agreed(np.array(seen))


def _edge(plate: _LocalSurface, other: _LocalSurface, voxels: SlabVoxels, tissues: Tissues) -> Edge:
    here = None if plate.over_pit else _neighbourhood(plate, other, voxels)
    return Edge(0.0, plate.sd_mm) if here is None else locate(here, tissues, plate.sd_mm)


def _neighbourhood(
    plate: _LocalSurface, other: _LocalSurface, voxels: SlabVoxels
) -> Neighbourhood | None:
    """Voxels that show an endplate at its station; None where metal or cement spoils them."""
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
    if near.any() and voxels.spoiled[near].mean() > SPOILED_SHARE:
        return None
    near &= ~voxels.spoiled
    return Neighbourhood(
        voxels.hu[near], depth[near], voxels.beyond_mm[near], box, voxels.spacing_mm
    )


def _local_surface(s: FloatArray, x: FloatArray, z: FloatArray, station: float) -> FloatArray:
    design = _terms(s - station, x)
    weight: FloatArray = np.exp(-0.5 * ((s - station) / (0.6 * LOCAL_SURFACE_HALF_MM)) ** 2)
    solution = np.zeros(4)
    for _ in range(3):
        root = np.sqrt(weight)
        solution = np.asarray(np.linalg.lstsq(design * root[:, None], z * root, rcond=None)[0])
        residual = np.abs(z - design @ solution)
        weight *= np.minimum(1.0, 1.0 / np.maximum(residual, 1e-6))
    return solution


def _terms(s: FloatArray, x: FloatArray) -> FloatArray:
    return np.stack([np.ones_like(s), s, s**2 / 10.0, x], axis=-1)
