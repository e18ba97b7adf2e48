"""The region a texture is computed from: crop, and resampling to isotropic voxels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from inference.label_boxes import Box
from texture.errors import RegionError
from texture.keys import OUTSIDE, interpolate_axis, keys_taps, keys_weights
from texture.settings import Resampling, Settings

MARGIN_VOXELS = 4
"""Width of the frame around the region on which the new grid is laid out, in old voxels.

The cubic kernel reaches two voxels out, so every voxel of the region has real neighbours. The
frame also decides where the new voxel centres fall, so it is part of the definition: it keeps
its width at the edge of the volume, where the outermost voxels are repeated.
"""


@dataclass(frozen=True)
class Region:
    """HU and mask on the grid the features are computed on.

    Attributes
    ----------
    hu
        float64 (k, j, i); values outside `mask` are undefined.
    mask
        bool, same shape.
    spacing_kji_mm
        Voxel size of this grid in mm.
    """

    hu: npt.NDArray[np.float64]
    mask: npt.NDArray[np.bool_]
    spacing_kji_mm: tuple[float, float, float]


def prepare_region(
    hu: npt.ArrayLike,
    mask: npt.ArrayLike,
    spacing_kji_mm: tuple[float, float, float],
    settings: Settings,
) -> Region | None:
    """Crop to the mask and resample as `settings` say; None if the mask is empty.

    Raises
    ------
    RegionError
        If the arrays are not three-dimensional and of one shape, or a spacing is not positive.
    """
    image, region = np.asarray(hu), np.asarray(mask).astype(bool, copy=False)
    spacing = _checked_spacing(image, region, spacing_kji_mm)
    box = bounding_box(region)
    if box is None:
        return None
    if settings.resampling == "native":
        return Region(image[box].astype(np.float64), region[box], spacing)
    if all(_keeps(s, box[axis], settings) for axis, s in enumerate(spacing)):
        return Region(image[box].astype(np.float64), region[box], spacing)
    return _resample(image, region, box, (spacing, settings))


def bounding_box(mask: npt.NDArray[np.bool_]) -> Box | None:
    """Smallest box that holds every True voxel, or None."""
    plane = np.asarray(mask.any(axis=0))
    profiles = (mask.reshape(mask.shape[0], -1).any(axis=1), plane.any(axis=1), plane.any(axis=0))
    hits = [np.flatnonzero(profile) for profile in profiles]
    if hits[0].size == 0:
        return None
    k, j, i = (slice(int(hit[0]), int(hit[-1]) + 1) for hit in hits)
    return k, j, i


def centre_of_mass(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Mean index (k, j, i) of the True voxels; there must be one."""
    sums = [mask.sum(axis=tuple(a for a in range(3) if a != axis)) for axis in range(3)]
    return np.array([(s @ np.arange(s.size)) / s.sum() for s in sums])


def widen(box: Box, shape: tuple[int, ...], voxels: int | tuple[int, int, int]) -> Box:
    """The box with a margin of `voxels` on every side, kept inside `shape`."""
    margins = (voxels,) * 3 if isinstance(voxels, int) else voxels
    wide = [
        slice(max(s.start - margin, 0), min(s.stop + margin, length))
        for s, length, margin in zip(box, shape, margins, strict=True)
    ]
    return wide[0], wide[1], wide[2]


def sample_positions(
    length: int, spacing_mm: float, voxel_mm: float, resampling: Resampling
) -> npt.NDArray[np.float64]:
    """Where the new voxels of one axis lie, as 0-based positions on the old axis."""
    count = max(int(np.floor(length * spacing_mm / voxel_mm + 0.5)), 1)
    k = np.arange(1, count + 1, dtype=np.float64)
    if resampling == "toolbox":
        return k * length / count - 1.0
    return (k - 0.5) * length / count - 0.5


def _resample(
    image: npt.NDArray[np.generic],
    mask: npt.NDArray[np.bool_],
    box: Box,
    how: tuple[tuple[float, float, float], Settings],
) -> Region:
    spacing, settings = how
    toolbox = settings.resampling == "toolbox"
    margin = _margin(settings)
    kept = widen(box, image.shape, margin)
    hu, region = image[kept].astype(np.float64), mask[kept]
    new_spacing: list[float] = []
    for axis in range(3):
        length = box[axis].stop - box[axis].start + 2 * margin
        at = sample_positions(length, spacing[axis], settings.voxel_mm, settings.resampling)
        new_spacing.append(spacing[axis] * length / at.size)
        if at.size == length:
            continue
        at += box[axis].start - margin - kept[axis].start
        hu = interpolate_axis(
            hu, axis, _bounded_taps(at, hu.shape[axis], toolbox), keys_weights(at)
        )
        region = _nearest(region, axis, at)
    return Region(hu, region, (new_spacing[0], new_spacing[1], new_spacing[2]))


def _keeps(spacing_mm: float, extent: slice, settings: Settings) -> bool:
    """Whether an axis has as many new voxels as old ones, and so is left alone."""
    length = extent.stop - extent.start + 2 * _margin(settings)
    at = sample_positions(length, spacing_mm, settings.voxel_mm, "centred")
    return bool(at.shape[0] == length)


def _margin(settings: Settings) -> int:
    return 0 if settings.resampling == "toolbox" else MARGIN_VOXELS


def _bounded_taps(
    positions: npt.NDArray[np.float64], length: int, zero_outside: bool
) -> npt.NDArray[np.int64]:
    taps = keys_taps(positions)
    if zero_outside:
        return np.where((taps >= 0) & (taps < length), taps, OUTSIDE)
    return np.clip(taps, 0, length - 1)


def _nearest(
    mask: npt.NDArray[np.bool_], axis: int, positions: npt.NDArray[np.float64]
) -> npt.NDArray[np.bool_]:
    nearest = np.floor(positions + 0.5).astype(np.int64)
    inside = (nearest >= 0) & (nearest < mask.shape[axis])
    picked = np.take(mask, np.where(inside, nearest, 0), axis=axis)
    shape = [1, 1, 1]
    shape[axis] = inside.size
    return np.asarray(picked & inside.reshape(shape), dtype=np.bool_)


def _checked_spacing(
    image: npt.NDArray[np.generic],
    mask: npt.NDArray[np.bool_],
    spacing_kji_mm: tuple[float, float, float],
) -> tuple[float, float, float]:
    if image.ndim != 3 or image.shape != mask.shape:
        raise RegionError(
            f"hu and mask must be (k, j, i) of one shape, are {image.shape} and {mask.shape}"
        )
    spacing = tuple(float(s) for s in spacing_kji_mm)
    if len(spacing) != 3 or not all(np.isfinite(s) and s > 0 for s in spacing):
        raise RegionError(f"spacing_kji_mm must be three positive numbers, is {spacing}")
    return spacing[0], spacing[1], spacing[2]
