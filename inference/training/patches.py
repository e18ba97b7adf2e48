"""Training patches by number: patch *n* of a seed is always the same patch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from inference.networks import LEVEL_CENTRE, LEVEL_UNIT
from inference.preprocess import AIR_HU, hu_windows
from inference.training.geometry import LabelGeometry, random_geometry
from inference.training.label_source import LabelSource
from inference.training.rendering import render_hu
from inference.training.warp import Shape

_UNDRESSED_PROBABILITY = 0.25
_CUT_PROBABILITY = 0.15
_CUT_FRACTION = 0.4


@dataclass(frozen=True)
class SourceMix:
    """Families of sources, and how often each family is used.

    Attributes
    ----------
    torsos
        Sources with skin and organs, in which those that know nothing but bone are mostly dressed.
    """

    families: Mapping[str, Sequence[LabelSource]]
    weights: Mapping[str, float]
    torsos: Sequence[LabelSource] = ()

    def drawn(self, rng: np.random.Generator) -> tuple[LabelSource, LabelSource | None]:
        """Draw a source and, where it needs one, a torso to dress it in."""
        names = sorted(self.weights)
        shares = np.array([self.weights[name] for name in names])
        family = self.families[str(rng.choice(names, p=shares / shares.sum()))]
        source = family[int(rng.integers(len(family)))]
        if (
            source.surroundings is not None
            or not self.torsos
            or rng.random() < _UNDRESSED_PROBABILITY
        ):
            return source, None
        return source, self.torsos[int(rng.integers(len(self.torsos)))]


@dataclass(frozen=True)
class Patch:
    """Network input and targets of one patch; tensors without a batch axis.

    Attributes
    ----------
    image
        float32 (2, x, y, z), the two HU windows.
    classes
        int64 (x, y, z), `inference.networks.Tissue`.
    offsets
        float32 (3, x, y, z), in units of 20 mm.
    level
        float32 (x, y, z), in the network's units.
    vertebra
        bool (x, y, z), where offsets and level are defined.
    """

    image: Tensor
    classes: Tensor
    offsets: Tensor
    level: Tensor
    vertebra: Tensor

    def tensors(self) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Fields in order, as a data loader carries them."""
        return self.image, self.classes, self.offsets, self.level, self.vertebra


def patch_from(geometry: LabelGeometry, rng: np.random.Generator) -> Patch:
    """Render a geometry, cut its field of view at random and mirror every second patch."""
    hu = render_hu(geometry, int(rng.integers(2**31))).numpy()
    classes = geometry.classes.astype(np.int64)
    vertebra = geometry.levels > 0
    if rng.random() < _CUT_PROBABILITY:
        beyond = beyond_field_of_view(hu.shape, rng)
        hu[beyond] = AIR_HU
        classes[beyond] = 0
        vertebra = vertebra.copy()
        vertebra[beyond] = False
    level = (geometry.level_values - LEVEL_CENTRE) / LEVEL_UNIT
    patch = Patch(
        image=torch.from_numpy(hu_windows(hu)),
        classes=torch.from_numpy(classes),
        offsets=torch.from_numpy(geometry.offsets),
        level=torch.from_numpy(level.astype(np.float32)),
        vertebra=torch.from_numpy(vertebra),
    )
    return mirrored(patch) if rng.random() < 0.5 else patch


def beyond_field_of_view(
    shape: tuple[int, ...], rng: np.random.Generator
) -> tuple[slice, slice, slice]:
    """Draw the part of a patch that a smaller field of view would not show."""
    axis = int(rng.choice(3, p=[0.2, 0.2, 0.6]))
    cut = int(shape[axis] * rng.uniform(0.05, _CUT_FRACTION))
    sides = [slice(None), slice(None), slice(None)]
    sides[axis] = slice(0, cut) if rng.random() < 0.5 else slice(shape[axis] - cut, None)
    return sides[0], sides[1], sides[2]


def mirrored(patch: Patch) -> Patch:
    """Exchange left and right; the offsets' first component changes its sign."""
    offsets = patch.offsets.flip(1)
    offsets[0] = -offsets[0]
    return Patch(
        image=patch.image.flip(1),
        classes=patch.classes.flip(0),
        offsets=offsets,
        level=patch.level.flip(0),
        vertebra=patch.vertebra.flip(0),
    )


class PatchDataset(Dataset[tuple[Tensor, ...]]):
    """Patches by number, made when asked for.

    Parameters
    ----------
    mix
        Where anatomy comes from.
    shape
        Voxels of a patch.
    seed
        Of the run; patch n depends on the seed and n alone.
    length
        How many patches there are.
    """

    def __init__(self, mix: SourceMix, shape: Shape, seed: int, length: int) -> None:
        self._mix = mix
        self._shape = shape
        self._seed = seed
        self._length = length

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, number: int) -> tuple[Tensor, ...]:
        rng = np.random.default_rng([self._seed, number])
        source, torso = self._mix.drawn(rng)
        geometry = random_geometry(source, torso, self._shape, rng)
        return patch_from(geometry, rng).tensors()
