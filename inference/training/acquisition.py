"""What scanner and reconstruction do to an image: slices, kernel, noise, field of view."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from inference.training.random_draws import Draws
from inference.training.warp import GRID_MM

_THICK_PROBABILITY = 0.45
_SLICE_MM = (2.0, 5.5)
_AXIAL_BELOW, _SAGITTAL_BELOW = 0.72, 0.92
"""Axial slices mostly; sagittal and, seldom, coronal ones are sent too."""


def acquired(image: Tensor, draws: Draws) -> Tensor:
    """Blur to a point spread, sharpen, add noise, average slices and jitter the scale.

    Noise comes before the averaging of thick slices where the reconstruction is thick, as in a
    scanner: thick slices are quieter and their noise is correlated between 2 mm voxels.
    """
    image = draws.blurred(image, _point_spread(draws))
    if draws.happens(0.4):
        image = image + draws.between(0.2, 1.2) * (image - draws.blurred(image, (0.8, 0.8, 0.8)))
    image = image + _noise(image.shape, draws)
    if draws.happens(_THICK_PROBABILITY):
        slices = Slices(draws.between(*_SLICE_MM), draws.between(0, 1), _slice_axis(draws))
        image = thick_slices(image, slices, draws.voxel_mm)
    if draws.happens(0.3):
        image = image + draws.field(image.shape, 40) * draws.between(3, 20)
    if draws.happens(0.2):
        image = image * draws.between(0.85, 1.15) + draws.between(-25, 25)
    return image


def _slice_axis(draws: Draws) -> int:
    chance = draws.between(0, 1)
    if chance < _AXIAL_BELOW:
        return 2
    return 0 if chance < _SAGITTAL_BELOW else 1


def _point_spread(draws: Draws) -> tuple[float, float, float]:
    in_plane = draws.between(0.25, 0.75)
    if draws.happens(0.15):
        blur = draws.between(0.6, 1.1)
        return blur, blur, blur
    across = draws.between(0.8, 1.6) if draws.happens(0.2) else draws.between(0.25, 0.75)
    if draws.happens(0.05):
        return across, in_plane, in_plane
    return in_plane, in_plane, across


def _noise(shape: torch.Size, draws: Draws) -> Tensor:
    """Noise of a soft (blurred), a sharp (high-pass) or a neutral kernel, 3 to 130 HU."""
    noise = draws.normal(*shape)
    if draws.happens(0.6):
        width = draws.between(0.3, 0.9)
        noise = draws.blurred(noise, (width, width, width))
    if draws.happens(0.3):
        noise = noise - draws.blurred(noise, (1.2, 1.2, 1.2))
    level = draws.between(3, 70) if draws.happens(0.8) else draws.between(50, 130)
    return noise / noise.std() * level


@dataclass(frozen=True)
class Slices:
    """Slices as thick as they lie apart along one of the axes ``[R+, A+, S+]``.

    `phase` (0 to 1) says where the first one begins.
    """

    thickness_mm: float
    phase: float
    axis: int = 2


def thick_slices(image: Tensor, slices: Slices, voxel_mm: float = GRID_MM) -> Tensor:
    """Average along one axis to thick slices and interpolate back to the grid (x, y, z)."""
    step = slices.thickness_mm / voxel_mm
    length = image.shape[slices.axis]
    centres = torch.arange(-1.0 + slices.phase, length / step + 1.0) * step
    grid = torch.arange(length, dtype=torch.float32)
    distance = (grid[None, :] - centres[:, None]).abs()
    averaging = (step / 2 + 0.5 - distance).clamp(0.0, 1.0)
    covered = averaging.sum(dim=1) > 0.25
    averaging = averaging[covered]
    centres = centres[covered]
    averaging = averaging / averaging.sum(dim=1, keepdim=True)
    between = (1 - (grid[None, :] - centres[:, None]).abs() / step).clamp(min=0.0)
    between = between / between.sum(dim=0, keepdim=True).clamp(min=1e-6)
    resampling: Tensor = averaging.T @ between
    return (image.movedim(slices.axis, -1) @ resampling).movedim(-1, slices.axis)
