"""Random numbers for rendering: everything a patch shows follows from one seed."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from inference.training.warp import GRID_MM


class Draws:
    """A seeded source of numbers and fields.

    Parameters
    ----------
    seed
        Two sources with the same seed draw the same numbers in the same order.
    voxel_mm
        Spacing of what is drawn. Lengths are given in voxels of the 2 mm grid, so that a finer
        grid shows the same things, sampled more finely.
    """

    def __init__(self, seed: int, voxel_mm: float = GRID_MM) -> None:
        self._generator = torch.Generator().manual_seed(seed)
        self.voxel_mm = voxel_mm
        self.magnification = GRID_MM / voxel_mm

    def between(self, low: float, high: float) -> float:
        """One number, uniform."""
        return low + (high - low) * float(torch.rand((), generator=self._generator))

    def happens(self, probability: float) -> bool:
        """True with this probability."""
        return float(torch.rand((), generator=self._generator)) < probability

    def normal(self, *shape: int) -> Tensor:
        """Independent standard normal numbers."""
        return torch.randn(shape, generator=self._generator)

    def field(self, shape: torch.Size, step: float) -> Tensor:
        """Smooth normal field, drawn every `step` 2 mm voxels and interpolated between."""
        voxels = step * self.magnification
        coarse = [max(2, math.ceil(n / voxels) + 1) for n in shape]
        drawn = self.normal(1, 1, *coarse)
        fine = functional.interpolate(
            drawn, size=tuple(shape), mode="trilinear", align_corners=True
        )
        return fine[0, 0]

    def blurred(self, image: Tensor, sigmas: tuple[float, float, float]) -> Tensor:
        """Convolve with a Gaussian of `sigmas` 2 mm voxels per axis."""
        a, b, c = (sigma * self.magnification for sigma in sigmas)
        return blurred(image, (a, b, c))


def blurred(image: Tensor, sigmas: tuple[float, float, float]) -> Tensor:
    """Convolve with a Gaussian of `sigmas` voxels per axis."""
    volume = image[None, None]
    for axis, sigma in enumerate(sigmas):
        if sigma >= 0.2:
            volume = _convolved(volume, _gaussian(sigma), axis)
    return volume[0, 0]


def _gaussian(sigma: float) -> Tensor:
    radius = max(1, int(3 * sigma + 0.5))
    steps = torch.arange(-radius, radius + 1, dtype=torch.float32)
    kernel = torch.exp(-(steps**2) / (2 * sigma**2))
    return kernel / kernel.sum()


def _convolved(volume: Tensor, kernel: Tensor, axis: int) -> Tensor:
    half = len(kernel) // 2
    padding = [0] * 6
    padding[2 * (2 - axis)] = padding[2 * (2 - axis) + 1] = half
    shape = [1, 1, 1, 1, 1]
    shape[2 + axis] = len(kernel)
    padded = functional.pad(volume, padding, mode="replicate")
    return functional.conv3d(padded, kernel.view(*shape))
