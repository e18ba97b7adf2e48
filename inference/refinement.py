"""Applies the second network: sharp soft masks of one vertebra from the source's own HU at 1 mm."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from inference.fusion import Bools, SoftMask, coarse_mask
from inference.label_boxes import Box, widened
from inference.preprocess import (
    AIR_HU,
    NetworkGrid,
    PreparedVolume,
    from_network_order,
    to_network_order,
)
from inference.preprocess import hu_windows as windows_of
from inference.refiner import FINE_MM, FINER, REFINER_STRIDE, Part, refiner_input
from inference.resampling import FloatArray, resample_slices, sampling_matrix
from inference.sliding import VoxelPrediction, autocast
from inference.volume import HUArray, LabelArray

_CONTEXT_VOXELS = 4
"""2 mm voxels of surroundings that the second network sees around the first one's mask."""

_LIKELY_VOLUME_RATIO = (0.6, 1.7)
"""A refined mask much smaller or larger than the first network's is a failure; the first stays."""


@dataclass(frozen=True)
class Refinement:
    """The second network over one scan; called once per vertebra by `inference.fusion.fuse`."""

    network: nn.Module
    device: torch.device
    prediction: VoxelPrediction
    prepared: PreparedVolume

    def __call__(self, owner: LabelArray, number: int, extent: Box) -> SoftMask:
        """Refined soft mask of a vertebra, or the first network's where refining failed."""
        box = widened(extent, _CONTEXT_VOXELS, owner.shape)
        own = owner[box] == number
        coarse = coarse_mask(self.prediction, box, own)
        parts = self._parts(box, own)
        body = np.ascontiguousarray(parts[Part.BODY])
        whole = body + parts[Part.POSTERIOR]
        before = float(coarse.whole.sum()) * FINER**3
        low, high = _LIKELY_VOLUME_RATIO
        if not low * before < float(whole.sum()) < high * before:
            return coarse
        return SoftMask(box, whole, body)

    def _parts(self, box: Box, own: Bools) -> FloatArray:
        """Probabilities (4, z, y, x) of `Part` on the fine grid of a box of the 2 mm grid."""
        hu = fine_hu(self.prepared.source_hu, self.prepared.grid, box)
        image = refiner_input(
            torch.from_numpy(to_network_order(windows_of(hu))),
            torch.from_numpy(to_network_order(self.prediction.probabilities[(slice(None), *box)])),
            torch.from_numpy(to_network_order(own)),
        )
        parts: FloatArray = from_network_order(self._forward(image).numpy())
        return parts

    def _forward(self, image: Tensor) -> Tensor:
        """Probabilities (4, a, b, c); the input is padded to the network's stride."""
        a, b, c = image.shape[1:]
        beyond = [(-n) % REFINER_STRIDE for n in (a, b, c)]
        padded = functional.pad(
            image[None], (0, beyond[2], 0, beyond[1], 0, beyond[0]), mode="replicate"
        )
        batch = padded.to(self.device).contiguous(memory_format=torch.channels_last_3d)
        with torch.no_grad(), autocast(self.device):
            logits = self.network(batch)[0].float()
        result: Tensor = logits[:, :a, :b, :c].softmax(0).cpu()
        return result


def fine_hu(source_hu: HUArray, grid: NetworkGrid, box: Box) -> FloatArray:
    """HU at 1 mm in a box of the 2 mm grid, from the source in canonical order."""
    matrices, crop = [], []
    for axis, side in enumerate(box):
        at = grid.to_source(axis, fine_positions(side))
        reach = int(np.ceil(FINE_MM / grid.source_spacing_mm[axis])) + 1
        size = grid.source_shape[axis]
        start = int(np.clip(np.floor(at[0]) - reach, 0, size - 1))
        stop = int(np.clip(np.ceil(at[-1]) + reach + 1, start + 1, size))
        width = FINE_MM / grid.source_spacing_mm[axis]
        matrices.append(sampling_matrix(stop - start, at - start, width))
        crop.append(slice(start, stop))
    return resample_slices(source_hu[tuple(crop)], matrices, AIR_HU)


def fine_positions(side: slice) -> npt.NDArray[np.float64]:
    """Indices on the 2 mm grid of the 1 mm voxels along one side of a box."""
    fine = np.arange(FINER * side.start, FINER * side.stop)
    return (fine + 0.5) / FINER - 0.5
