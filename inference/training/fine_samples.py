"""One vertebra of a scene as input and target of the refining network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from inference.networks import Tissue
from inference.preprocess import hu_windows
from inference.refiner import FINER, Part, refiner_input
from inference.training.fine_scenes import FineScene

SAMPLE_SHAPE = (48, 52, 36)
"""2 mm voxels of a sample, ``[R+, A+, S+]``; twice as many at 1 mm."""

_JITTER_SD = (3.0, 3.0, 2.5)
_BEHIND_BODY = 9
"""2 mm voxels by which the middle of a whole vertebra lies behind that of its body."""

Box = tuple[slice, slice, slice]


@dataclass(frozen=True)
class FineSample:
    """Input (7, x, y, z) and target (x, y, z) of `Part`, at 1 mm."""

    image: Tensor
    parts: Tensor


def random_sample(scene: FineScene, rng: np.random.Generator) -> FineSample:
    """Draw a vertebra, where to look, a change of HU and a mirror image.

    Raises
    ------
    ValueError
        If no vertebra of the scene is fit to learn from.
    """
    labels = scene.whole_vertebrae()
    if not labels:
        raise ValueError("the scene shows no whole vertebra")
    label = int(rng.choice(labels))
    coarse = _random_box(scene, label, rng)
    x, y, z = (slice(FINER * side.start, FINER * side.stop) for side in coarse)
    hu = scene.hu[x, y, z].astype(np.float32)
    if rng.random() < 0.5:
        hu = hu * np.float32(rng.uniform(0.9, 1.1)) + np.float32(rng.uniform(-20, 20))
    probabilities = scene.coarse[(slice(None), *coarse)].astype(np.float32) / 255
    image = refiner_input(
        torch.from_numpy(hu_windows(hu)),
        torch.from_numpy(probabilities),
        torch.from_numpy(scene.owner[coarse] == label),
    )
    parts = torch.from_numpy(parts_of(scene.classes[x, y, z], scene.levels[x, y, z], label))
    if rng.random() < 0.5:
        return FineSample(image.flip(1), parts.flip(0))
    return FineSample(image, parts)


def parts_of(
    classes: npt.NDArray[np.uint8], levels: npt.NDArray[np.uint8], label: int
) -> npt.NDArray[np.int64]:
    """Target of one vertebra: int64 `Part`."""
    parts = np.full(levels.shape, int(Part.OUTSIDE), dtype=np.int64)
    parts[levels > 0] = Part.NEIGHBOUR
    parts[(levels == label) & (classes == Tissue.POSTERIOR)] = Part.POSTERIOR
    parts[(levels == label) & (classes == Tissue.BODY)] = Part.BODY
    return parts


def _random_box(scene: FineScene, label: int, rng: np.random.Generator) -> Box:
    body = (scene.levels == label) & (scene.classes == Tissue.BODY)
    middle = np.array([axis.mean() for axis in np.nonzero(body)]) / FINER
    middle[1] -= _BEHIND_BODY
    middle += rng.normal(0.0, _JITTER_SD)
    sides = []
    for at, size, limit in zip(middle, SAMPLE_SHAPE, scene.owner.shape, strict=True):
        start = int(np.clip(round(at - size / 2), 0, limit - size))
        sides.append(slice(start, start + size))
    return sides[0], sides[1], sides[2]
