"""All lengths and angles of one vertebral body: front to back, left to right, and volume.

Left and right heights are read like the anterior and posterior ones, in the frame turned by a
quarter about the body's own axis: stations at 15 and 85 % of the width, mid-coronal slab.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from inference.body_axes import BodyFrame
from inference.body_surface import BodySurface
from inference.endplate_pits import Pit
from inference.heights import MeasuredHeights, measure_heights
from inference.report import BodyGeometry, Heights, Measured
from inference.slab import Surroundings

SURFACE_BIAS_MM, BIAS_PER_VOXEL = 0.1, 0.05
"""How far a whole mask may lie too far out or in, at least and per voxel edge."""
SURFACE_SD_MM = 0.6
"""How far single places of a mask's surface may be off, beside the voxel's own uncertainty."""
PATCH_MM = 5.0
"""Places of the surface closer than this err together."""


@dataclass(frozen=True)
class MeasuredBody:
    """Heights and shape of one body."""

    heights_mm: Heights
    height_uncertainty_mm: float
    geometry: BodyGeometry
    pits: tuple[Pit, ...]


def measure_body(
    surface: BodySurface, frame: BodyFrame, around: Surroundings
) -> MeasuredBody | None:
    """Heights and angles of one complete body; None if its endplates cannot be followed."""
    sagittal = measure_heights(surface, frame, around)
    if sagittal is None:
        return None
    coronal = measure_heights(surface, _quarter_turned(frame), around)
    return MeasuredBody(
        sagittal.heights_mm,
        sagittal.uncertainty_mm,
        _geometry(sagittal, coronal),
        sagittal.pits,
    )


def volume_ml(surface: BodySurface) -> Measured:
    """Volume of the body's mask.

    Its uncertainty is that of a surface whose places are off by `SURFACE_SD_MM` and a share of a
    voxel, patch by patch, and by about `SURFACE_BIAS_MM` as a whole.
    """
    spacing = np.asarray(surface.volume.spacing_kji_mm)
    voxel_mm3 = float(np.prod(spacing))
    area_mm2 = _area_mm2(surface)
    edge_mm = float(np.cbrt(voxel_mm3))
    place_mm = float(np.hypot(SURFACE_SD_MM, 0.3 * edge_mm))
    bias_mm = float(np.hypot(SURFACE_BIAS_MM, BIAS_PER_VOXEL * edge_mm))
    by_patches = area_mm2 * place_mm / np.sqrt(max(1.0, area_mm2 / PATCH_MM**2))
    sd_mm3 = float(np.hypot(by_patches, area_mm2 * bias_mm))
    return Measured(surface.voxels * voxel_mm3 / 1000.0, sd_mm3 / 1000.0)


def _area_mm2(surface: BodySurface) -> float:
    """Area of the surface: what one millimetre of its distance field holds on either side."""
    spacing = surface.volume.spacing_kji_mm
    reach = max(1.0, *spacing)
    shell = np.abs(surface.distance_mm) <= reach
    return float(shell.sum() * np.prod(spacing)) / (2.0 * reach)


def _quarter_turned(frame: BodyFrame) -> BodyFrame:
    """The frame whose anterior axis is the body's left."""
    return BodyFrame(frame.origin_lps_mm, frame.left, -frame.anterior, frame.cranial)


def _geometry(sagittal: MeasuredHeights, coronal: MeasuredHeights | None) -> BodyGeometry:
    if coronal is None:
        return BodyGeometry(sagittal.sd_mm, sagittal_angle_deg=sagittal.angle_deg)
    across, spread = coronal.heights_mm, coronal.sd_mm
    return BodyGeometry(
        height_sd_mm=sagittal.sd_mm,
        left_mm=Measured(across.anterior, spread.anterior),
        right_mm=Measured(across.posterior, spread.posterior),
        sagittal_angle_deg=sagittal.angle_deg,
        coronal_angle_deg=coronal.angle_deg,
    )
