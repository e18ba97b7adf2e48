"""Columns of HU across both endplates of a body, and how well each depth fits as the endplate.

The columns stand on a grid over the body's breadth, along its own cranial axis, and start at the
mask's surface. A column with the endplate at some depth shows disc above it, a bony shell there
and trabecular bone below; every depth is given the misfit of that prediction.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from inference.body_axes import (
    BodyFrame,
    anteroposterior_extent_mm,
    columns_at,
    lateral_half_width_mm,
)
from inference.body_surface import BodySurface
from inference.slab import DEFAULT_TRABECULAR_HU, Surroundings

GRID = (25, 21)
"""Places along and across the endplate."""
ALONG_SHARE, ACROSS_SHARE = 0.9, 0.85
STEP_MM = 0.5
OUTSIDE_MM = 3.0
BELOW_MM = 3.0
"""Bone that must be left under the deepest endplate, to be recognised as bone."""
DEEPEST_SHARE = 0.75
"""Of the body's height."""
SHELL_STEPS = 2
AT_SURFACE_MM = 1.5
POOLED_PLACES = 0.7
"""Gaussian over the grid, against noise."""
NEXT_VERTEBRA_MM = 1.0
"""Places this near to the next vertebra's surface show its endplate."""
USUAL_DISC_HU = 70.0
SHELL_QUANTILE = 75
DISC_SD_HU, SHELL_SD_HU, BONE_SD_HU = 35.0, 150.0, 45.0
WORST_MISFIT = 3.0
"""Of one place: gas, vessels and spurs may not decide."""
INDEPENDENT_SHARE = 0.5
"""Neighbouring places of a column share voxels."""
FEWEST_HIT_SHARE = 0.7

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class EndplateColumns:
    """One endplate's columns.

    Attributes
    ----------
    upper
        Of the cranial endplate.
    anterior_mm, left_mm
        (a,) and (b,), the grid in the body's frame.
    surface_mm
        (a, b), the mask's surface along the cranial axis.
    depth_mm
        (t,), places of a column below that surface; negative in the disc.
    hu, seen
        (a, b, t), HU there, and whether they show neither another vertebra nor nothing.
    """

    upper: bool
    anterior_mm: FloatArray
    left_mm: FloatArray
    surface_mm: FloatArray
    depth_mm: FloatArray
    hu: FloatArray
    seen: BoolArray

    @property
    def place_mm2(self) -> float:
        """Area one column stands for."""
        a, b = self.anterior_mm, self.left_mm
        return float((a[1] - a[0]) * (b[1] - b[0]))

    def brightest_at(self, depth_mm: FloatArray) -> FloatArray:
        """(a, b), the highest HU near a depth: that of the endplate where there is one."""
        near = np.abs(self.depth_mm - depth_mm[..., None]) <= AT_SURFACE_MM
        return np.asarray(np.where(near, self.hu, -np.inf).max(axis=-1))


@dataclass(frozen=True)
class PlateTissues:
    """HU of disc, bony endplate as the scan shows it, and trabecular bone of one body."""

    disc_hu: float
    shell_hu: float
    bone_hu: float


def endplate_columns(
    surface: BodySurface, frame: BodyFrame, around: Surroundings
) -> tuple[EndplateColumns, ...]:
    """Columns of the upper and the lower endplate; empty where the body cannot be followed."""
    extent = anteroposterior_extent_mm(surface, frame)
    if extent is None:
        return ()
    back, front = extent
    anterior = 0.5 * (back + front) + 0.5 * (front - back) * _shares(ALONG_SHARE, GRID[0])
    left = lateral_half_width_mm(surface, frame) * _shares(ACROSS_SHARE, GRID[1])
    s, x = np.meshgrid(anterior, left, indexing="ij")
    hit = columns_at(surface, frame, s.ravel(), x.ravel())
    if np.isfinite(hit.lower_mm).mean() < FEWEST_HIT_SHARE:
        return ()
    upper, lower = (_filled(z.reshape(GRID)) for z in (hit.upper_mm, hit.lower_mm))
    deepest = DEEPEST_SHARE * float(np.median(upper - lower)) + BELOW_MM
    depth = np.arange(-OUTSIDE_MM, deepest + 1e-6, STEP_MM)
    sampled = []
    for is_upper, start in ((True, upper), (False, lower)):
        z = start[..., None] + (-depth if is_upper else depth)
        points = np.stack(np.broadcast_arrays(s[..., None], x[..., None], z), axis=-1)
        hu, seen = _sampled(surface, around, frame.to_lps_mm(points))
        sampled.append(EndplateColumns(is_upper, anterior, left, start, depth, hu, seen))
    return tuple(sampled)


def plate_tissues(
    surface: BodySurface, plates: tuple[EndplateColumns, ...], around: Surroundings
) -> PlateTissues:
    """What disc, endplate and bone of this body look like in this scan."""
    outside = np.concatenate(
        [p.hu[..., p.depth_mm < -1.0][p.seen[..., p.depth_mm < -1.0]] for p in plates]
    )
    deep = (surface.distance_mm > 0.6 * surface.distance_mm.max()) & ~around.excluded
    bone = surface.volume.hu[surface.box][deep]
    peaks = np.concatenate([p.brightest_at(np.zeros(GRID)).ravel() for p in plates])
    return PlateTissues(
        disc_hu=float(np.median(outside)) if outside.size else USUAL_DISC_HU,
        shell_hu=float(np.percentile(peaks, SHELL_QUANTILE)),
        bone_hu=float(np.median(bone)) if bone.size else DEFAULT_TRABECULAR_HU,
    )


def misfit_by_depth(plate: EndplateColumns, tissues: PlateTissues) -> tuple[FloatArray, FloatArray]:
    """Misfit (a, b, d) of an endplate at each of the depths (d,) in mm below the mask's surface."""
    disc = _summed(plate, tissues.disc_hu, DISC_SD_HU)
    shell = _summed(plate, tissues.shell_hu, SHELL_SD_HU)
    bone = _summed(plate, tissues.bone_hu, BONE_SD_HU)
    possible = (plate.depth_mm >= -1.0) & (plate.depth_mm <= plate.depth_mm[-1] - BELOW_MM)
    at = np.flatnonzero(possible)
    under = at + SHELL_STEPS
    misfit = disc[..., at] + shell[..., under] - shell[..., at] + bone[..., -1:] - bone[..., under]
    return INDEPENDENT_SHARE * misfit, plate.depth_mm[at] - 0.5 * STEP_MM


def _summed(plate: EndplateColumns, mean_hu: float, sd_hu: float) -> FloatArray:
    """Misfit of all places above each place, were they this tissue (a, b, t + 1)."""
    each = np.minimum(0.5 * ((plate.hu - mean_hu) / sd_hu) ** 2, WORST_MISFIT) * plate.seen
    return np.concatenate([np.zeros((*GRID, 1)), np.cumsum(each, axis=-1)], axis=-1)


def _sampled(
    surface: BodySurface, around: Surroundings, points_lps_mm: FloatArray
) -> tuple[FloatArray, BoolArray]:
    volume = surface.volume
    index = (volume.to_index_kji(points_lps_mm) - np.array(surface.start_kji)).reshape(-1, 3).T
    hu, beyond = (
        ndimage.map_coordinates(field, index, order=1, mode="nearest")
        for field in (volume.hu[surface.box].astype(np.float64), around.beyond_mm)
    )
    last = np.array(surface.distance_mm.shape)[:, None] - 1
    seen = np.all((index >= 0) & (index <= last), axis=0) & (beyond < -NEXT_VERTEBRA_MM)
    shape = points_lps_mm.shape[:-1]
    pooled = ndimage.gaussian_filter(hu.reshape(shape), (POOLED_PLACES, POOLED_PLACES, 0.0))
    return pooled, seen.reshape(shape)


def _shares(most: float, count: int) -> FloatArray:
    return np.linspace(-most, most, count)


def _filled(heights: FloatArray) -> FloatArray:
    """Columns beside the body take the nearest one's surface."""
    missed = ~np.isfinite(heights)
    nearest = ndimage.distance_transform_edt(missed, return_distances=False, return_indices=True)
    return np.asarray(heights[tuple(nearest)])
