"""Overlapping windows over a volume too large for one pass, blended with tapered weights."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from inference.networks import (
    LEVEL_CENTRE,
    LEVEL_CHANNEL,
    LEVEL_UNIT,
    OFFSET_CHANNELS,
    OFFSET_UNIT_MM,
    OUTPUT_CHANNELS,
    STRIDE,
    Tissue,
)
from inference.preprocess import AIR_HU, from_network_order, hu_windows, to_network_order
from inference.resampling import FloatArray
from inference.window_search import Box, Progress, WindowLattice, follow_spine

WINDOW = (64, 80, 96)
"""Window size in 2 mm voxels, network order (R, A, S)."""

OVERLAP = 0.3


@dataclass(frozen=True)
class VoxelPrediction:
    """What the network says per voxel of the canonical 2 mm grid (z, y, x).

    Attributes
    ----------
    probabilities
        float32 (7, z, y, x), classes of `inference.networks.Tissue`.
    offsets_mm
        float32 (3, z, y, x), vector to the own body's centre along z, y and x.
    level
        float32 (z, y, x), position along the spine: 1 for C1, 8 for T1, 20 for L1, 24 for L5.
    seen
        bool (z, y, x), where the network has looked; elsewhere nothing is known.
    """

    probabilities: FloatArray
    offsets_mm: FloatArray
    level: FloatArray
    seen: npt.NDArray[np.bool_]

    @cached_property
    def tissue(self) -> npt.NDArray[np.uint8]:
        """Most probable class of every voxel."""
        classes: npt.NDArray[np.uint8] = self.probabilities.argmax(axis=0).astype(np.uint8)
        return classes


def predict(
    network: nn.Module, hu: FloatArray, device: torch.device, progress: Progress | None = None
) -> VoxelPrediction:
    """Run the network over HU (z, y, x) on the canonical 2 mm grid."""
    windows = torch.from_numpy(to_network_order(hu_windows(hu)))
    network_output, seen = _blend(network, windows, device, progress)
    blended = from_network_order(network_output.numpy())
    right, front, head = blended[OFFSET_CHANNELS] * np.float32(OFFSET_UNIT_MM)
    return VoxelPrediction(
        probabilities=blended[: len(Tissue)],
        offsets_mm=np.stack([head, -front, -right]),
        level=blended[LEVEL_CHANNEL] * np.float32(LEVEL_UNIT) + np.float32(LEVEL_CENTRE),
        seen=from_network_order(seen.numpy()),
    )


def _blend(
    network: nn.Module, image: Tensor, device: torch.device, progress: Progress | None
) -> tuple[Tensor, Tensor]:
    """Blended output (channels, a, b, c), and where any window has looked (a, b, c)."""
    a, b, c = image.shape[1:]
    size = tuple(
        min(w, -(-n // STRIDE) * STRIDE) for w, n in zip(WINDOW, image.shape[1:], strict=True)
    )
    padded = _pad_with_air(image, size)
    canvas = _Canvas.blank(padded.shape[1:], size)
    lattice = WindowLattice(tuple(padded.shape[1:]), size, OVERLAP)

    def look(box: Box) -> Tensor:
        output = _forward(network, padded[(slice(None), *box)], device)
        canvas.add(box, output)
        return output[: len(Tissue)].argmax(dim=0)

    follow_spine(lattice, padded[0].numpy(), look, progress)
    return canvas.blended()[:, :a, :b, :c], canvas.weight[:a, :b, :c] > 0


class _Canvas:
    """Weighted sum of window outputs."""

    def __init__(self, total: Tensor, weight: Tensor, taper: Tensor) -> None:
        self.total, self.weight, self.taper = total, weight, taper

    @classmethod
    def blank(cls, shape: Sequence[int], size: tuple[int, ...]) -> _Canvas:
        return cls(torch.zeros((OUTPUT_CHANNELS, *shape)), torch.zeros(tuple(shape)), _taper(size))

    def add(self, box: Box, output: Tensor) -> None:
        self.total[(slice(None), *box)] += output * self.taper
        self.weight[box] += self.taper

    def blended(self) -> Tensor:
        """Weighted mean; background where no window has looked."""
        unseen = self.weight == 0
        self.total /= self.weight.clamp(min=1e-6)
        self.total[Tissue.BACKGROUND][unseen] = 1.0
        blended: Tensor = self.total
        return blended


def _forward(network: nn.Module, window: Tensor, device: torch.device) -> Tensor:
    batch = window[None].to(device).contiguous(memory_format=torch.channels_last_3d)
    with torch.no_grad(), autocast(device):
        output = network(batch)[0].float()
    output[: len(Tissue)] = output[: len(Tissue)].softmax(0)
    result: Tensor = output.cpu()
    return result


def autocast(device: torch.device) -> AbstractContextManager[object]:
    """Half precision only where the hardware has it: emulated bfloat16 is about 50 times slower."""
    if device.type == "cuda":
        return torch.autocast("cuda", dtype=torch.bfloat16)
    capabilities = torch.cpu.get_capabilities()
    if capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"):
        return torch.autocast("cpu", dtype=torch.bfloat16)
    return nullcontext()


def _pad_with_air(image: Tensor, size: tuple[int, ...]) -> Tensor:
    air = torch.from_numpy(hu_windows(np.full(1, AIR_HU, dtype=np.float32)))
    shape = [max(n, w) for n, w in zip(image.shape[1:], size, strict=True)]
    padded = air[:, :, None, None].expand(2, *shape).clone()
    a, b, c = image.shape[1:]
    padded[:, :a, :b, :c] = image
    return padded


def _taper(size: tuple[int, ...]) -> Tensor:
    profiles = []
    for length in size:
        edge = torch.minimum(torch.arange(length) + 1, length - torch.arange(length))
        profiles.append((edge / (length * OVERLAP)).clamp(max=1.0))
    first, second, third = profiles
    return first[:, None, None] * second[:, None] * third + 1e-3
