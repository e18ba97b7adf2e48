"""Cement, pedicle screws with rods, and the streaks metal leaves."""

from __future__ import annotations

import torch
from torch import Tensor

from inference.networks import Tissue
from inference.training.random_draws import Draws

_CEMENT_PROBABILITY = 0.04
_HARDWARE_PROBABILITY = 0.05
_SCREW_LENGTH_VOXELS = 20
_ROD_LENGTH_VOXELS = 34


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
    for _ in range(1 + int(draws.between(0, 4))):
        start = posterior[int(draws.between(0, len(posterior) - 1))].float()
        forward = torch.tensor([draws.between(-0.3, 0.3), 1.0, draws.between(-0.3, 0.3)])
        _mark_line(metal, start, forward, _SCREW_LENGTH_VOXELS)
        if draws.happens(0.5):
            upward = torch.tensor([0.0, draws.between(-0.2, 0.2), 1.0])
            behind = start - 3 * forward - upward * _ROD_LENGTH_VOXELS / 2
            _mark_line(metal, behind, upward, _ROD_LENGTH_VOXELS)
    image = torch.where(metal, torch.full_like(image, draws.between(2000, 3071)), image)
    return image + _streaks(metal, draws)


def _mark_line(metal: Tensor, start: Tensor, direction: Tensor, length: int) -> None:
    steps = torch.arange(0, length, dtype=torch.float32)[:, None]
    points = (start + steps * direction).round().long()
    limits = torch.tensor(metal.shape)
    inside = ((points >= 1) & (points < limits - 1)).all(dim=1)
    for a, b, c in points[inside].tolist():
        metal[a : a + 2, b : b + 2, c : c + 2] = True


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
