"""Cement, pedicle screws with rods, and the streaks metal leaves."""

from __future__ import annotations

import torch
from torch import Tensor

from inference.networks import Tissue
from inference.training.random_draws import Draws

_CEMENT_PROBABILITY = 0.04
_HARDWARE_PROBABILITY = 0.05
_SCREW_LENGTH_MM = 40.0
_ROD_LENGTH_MM = 68.0
_METAL_MM = 4.0


def implanted(image: Tensor, classes: Tensor, draws: Draws) -> Tensor:
    """Add cement to bodies or hardware to posterior elements, each rarely."""
    if draws.happens(_CEMENT_PROBABILITY):
        filled = (classes == Tissue.BODY) & (draws.field(image.shape, 4) > draws.between(0.8, 1.6))
        image = torch.where(filled, torch.full_like(image, draws.between(700, 2800)), image)
    if draws.happens(_HARDWARE_PROBABILITY):
        image = _with_hardware(image, classes, draws)
    return image


def _with_hardware(image: Tensor, classes: Tensor, draws: Draws) -> Tensor:
    posterior = torch.argwhere(classes == Tissue.POSTERIOR)
    if len(posterior) == 0:
        return image
    metal = torch.zeros_like(image, dtype=torch.bool)
    screw, rod = (round(mm / draws.voxel_mm) for mm in (_SCREW_LENGTH_MM, _ROD_LENGTH_MM))
    thick = round(_METAL_MM / draws.voxel_mm)
    for _ in range(1 + int(draws.between(0, 4))):
        start = posterior[int(draws.between(0, len(posterior) - 1))].float()
        forward = torch.tensor([draws.between(-0.3, 0.3), 1.0, draws.between(-0.3, 0.3)])
        _mark_line(metal, start + _steps(screw) * forward, thick)
        if draws.happens(0.5):
            upward = torch.tensor([0.0, draws.between(-0.2, 0.2), 1.0])
            behind = start - 3 * draws.magnification * forward - upward * rod / 2
            _mark_line(metal, behind + _steps(rod) * upward, thick)
    image = torch.where(metal, torch.full_like(image, draws.between(2000, 3071)), image)
    return image + _streaks(metal, draws)


def _steps(length: int) -> Tensor:
    return torch.arange(0, length, dtype=torch.float32)[:, None]


def _mark_line(metal: Tensor, points: Tensor, thick: int) -> None:
    """Mark cubes of `thick` voxels at points (n, 3), those inside the patch."""
    cells = points.round().long()
    limits = torch.tensor(metal.shape)
    inside = ((cells >= 1) & (cells < limits - 1)).all(dim=1)
    for a, b, c in cells[inside].tolist():
        metal[a : a + thick, b : b + thick, c : c + thick] = True


def _streaks(metal: Tensor, draws: Draws) -> Tensor:
    """Bright and dark bands across the slices that hold metal, fading away from it."""
    amount = metal.float().sum(dim=(0, 1)).sqrt() * draws.between(0.0, 25.0)
    width, depth, slices = metal.shape
    angle = draws.between(-0.4, 0.4)
    across = torch.arange(depth, dtype=torch.float32)[None, :]
    along = torch.arange(width, dtype=torch.float32)[:, None]
    profile = draws.field(torch.Size((1, 1, 2 * (width + depth))), 2)[0, 0]
    position = (across + angle * along + width).long().clamp(0, len(profile) - 1)
    bands = profile[position][..., None].expand(width, depth, slices)
    return bands * amount
