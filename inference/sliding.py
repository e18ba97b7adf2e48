"""Overlapping windows over a volume too large for one pass, blended with tapered weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import product

import numpy as np
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

Progress = Callable[[float], None]
"""Called with the finished fraction, 0 to 1."""

WINDOW = (64, 80, 96)
"""Window size in 2 mm voxels, network order (R, A, S)."""

OVERLAP = 0.3

Box = tuple[slice, slice, slice]


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
    """

    probabilities: FloatArray
    offsets_mm: FloatArray
    level: FloatArray


def predict(
    network: nn.Module, hu: FloatArray, device: torch.device, progress: Progress | None = None
) -> VoxelPrediction:
    """Run the network over HU (z, y, x) on the canonical 2 mm grid."""
    windows = torch.from_numpy(to_network_order(hu_windows(hu)))
    blended = from_network_order(_blend(network, windows, device, progress).numpy())
    right, front, head = blended[OFFSET_CHANNELS] * np.float32(OFFSET_UNIT_MM)
    return VoxelPrediction(
        probabilities=blended[: len(Tissue)],
        offsets_mm=np.stack([head, -front, -right]),
        level=blended[LEVEL_CHANNEL] * np.float32(LEVEL_UNIT) + np.float32(LEVEL_CENTRE),
    )


def _blend(
    network: nn.Module, image: Tensor, device: torch.device, progress: Progress | None
) -> Tensor:
    shape = tuple(image.shape[1:])
    size = tuple(min(w, -(-n // STRIDE) * STRIDE) for w, n in zip(WINDOW, shape, strict=True))
    padded = _pad_with_air(image, size)
    total = torch.zeros((OUTPUT_CHANNELS, *padded.shape[1:]))
    weight = torch.zeros(padded.shape[1:])
    taper = _taper(size)
    boxes = list(_boxes(tuple(padded.shape[1:]), size))
    for done, box in enumerate(boxes, start=1):
        output = _forward(network, padded[(slice(None), *box)], device)
        total[(slice(None), *box)] += output * taper
        weight[box] += taper
        if progress is not None:
            progress(done / len(boxes))
    total /= weight
    a, b, c = shape
    return total[:, :a, :b, :c]


def _forward(network: nn.Module, window: Tensor, device: torch.device) -> Tensor:
    batch = window[None].to(device).contiguous(memory_format=torch.channels_last_3d)
    with torch.no_grad(), autocast(device):
        output = network(batch)[0].float()
    output[: len(Tissue)] = output[: len(Tissue)].softmax(0)
    return output.cpu()


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


def _boxes(shape: tuple[int, ...], size: tuple[int, ...]) -> Iterator[Box]:
    starts = []
    for length, window in zip(shape, size, strict=True):
        count = max(1, int(np.ceil((length - window) / (window * (1 - OVERLAP)))) + 1)
        starts.append(np.linspace(0, length - window, count).round().astype(int))
    for a, b, c in product(*starts):
        yield slice(a, a + size[0]), slice(b, b + size[1]), slice(c, c + size[2])


def _taper(size: tuple[int, ...]) -> Tensor:
    profiles = []
    for length in size:
        edge = torch.minimum(torch.arange(length) + 1, length - torch.arange(length))
        profiles.append((edge / (length * OVERLAP)).clamp(max=1.0))
    first, second, third = profiles
    return first[:, None, None] * second[:, None] * third + 1e-3
