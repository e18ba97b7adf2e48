"""Scenes at 1 mm with the first network's answer: what the refining network learns from.

A scene costs seconds, so it is made once, kept on disk and shows several vertebrae. Scene *n* of
a seed is always the same scene for the same weights of the first network.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage
from scipy.spatial import cKDTree
from torch import nn

from inference.networks import OFFSET_CHANNELS, OFFSET_UNIT_MM, Tissue
from inference.preprocess import AIR_HU, VOXEL_MM, hu_windows
from inference.refiner import FINE_MM, FINER
from inference.training.geometry import LabelGeometry, random_geometry
from inference.training.label_source import UInt8
from inference.training.patches import SourceMix, beyond_field_of_view
from inference.training.rendering import render_hu
from inference.training.stored_arrays import save_arrays
from inference.training.warp import Shape, patch_grid_mm

SCENE_SHAPE: Shape = (112, 128, 112)
"""Voxels at 1 mm; at 2 mm the first network's halvings divide them."""

_CUT_PROBABILITY = 0.2
_VOTE_REACH_MM = 24.0
_GROWTH_VOXELS = 2
_MIN_BODY_VOXELS = 1500


@dataclass(frozen=True)
class FineScene:
    """One piece of spine, its truth at 1 mm and the first network's answer at 2 mm.

    Attributes
    ----------
    hu
        int16 (x, y, z) at 1 mm, ``[R+, A+, S+]``.
    classes, levels
        uint8 (x, y, z) at 1 mm, `Tissue` and VerSe labels.
    coarse
        uint8 (7, x/2, y/2, z/2), the first network's probabilities in 255ths.
    owner
        uint8 (x/2, y/2, z/2), VerSe label of the vertebra whose soft mask a voxel counts to.
    """

    hu: npt.NDArray[np.int16]
    classes: UInt8
    levels: UInt8
    coarse: UInt8
    owner: UInt8

    def save(self, path: Path) -> None:
        """Write beside the target and move into place."""
        save_arrays(path, **vars(self))

    @staticmethod
    def load(path: Path) -> FineScene:
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as stored:
            return FineScene(**{name: stored[name] for name in stored.files})

    def whole_vertebrae(self) -> list[int]:
        """Labels of vertebrae that show enough of their body to learn from, and were found."""
        body = self.levels[self.classes == Tissue.BODY]
        counts = np.bincount(body, minlength=256)
        found = np.bincount(self.owner.ravel(), minlength=256)
        return [
            int(label)
            for label in np.flatnonzero(counts > _MIN_BODY_VOXELS)
            if label > 0 and found[label] * FINER**3 > _MIN_BODY_VOXELS
        ]


def make_scene(mix: SourceMix, network: nn.Module, seed: int, number: int) -> FineScene:
    """Draw, render and show to the first network one piece of spine."""
    rng = np.random.default_rng([seed, number])
    source, torso = mix.drawn(rng)
    geometry = random_geometry(source, torso, SCENE_SHAPE, rng, FINE_MM)
    hu = render_hu(geometry, int(rng.integers(2**31))).numpy()
    classes, levels = geometry.classes.copy(), geometry.levels.copy()
    if rng.random() < _CUT_PROBABILITY:
        beyond = beyond_field_of_view(hu.shape, rng)
        hu[beyond] = AIR_HU
        classes[beyond] = levels[beyond] = 0
    return answered(network, hu, (classes, levels), _true_centres(geometry))


def answered(
    network: nn.Module,
    hu: npt.NDArray[np.float32],
    truth: tuple[UInt8, UInt8],
    centres: tuple[UInt8, npt.NDArray[np.floating]],
) -> FineScene:
    """Scene of an image at 1 mm, with what the first network says about it.

    Parameters
    ----------
    truth
        Classes and levels, as in `FineScene`.
    centres
        VerSe labels of the vertebrae in view, and the centres (n, 3) of their bodies in mm from
        the scene's middle, ``[R+, A+, S+]``.
    """
    coarse, votes_mm = first_answer(network, hu)
    classes, levels = truth
    return FineScene(
        hu=np.rint(hu).astype(np.int16),
        classes=classes,
        levels=levels,
        coarse=np.rint(coarse * 255).astype(np.uint8),
        owner=_owners(coarse, votes_mm, centres),
    )


def first_answer(
    network: nn.Module, hu: npt.NDArray[np.float32]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Probabilities (7, ...) at 2 mm, and where each voxel places its body's centre (3, ...)."""
    image = torch.from_numpy(hu)[None, None]
    at_2_mm = torch.nn.functional.avg_pool3d(image, FINER)[0, 0].numpy()
    with torch.no_grad():
        output = network(torch.from_numpy(hu_windows(at_2_mm))[None])[0]
    probabilities = output[: len(Tissue)].softmax(0).numpy()
    grid_mm = np.moveaxis(_coarse_grid_mm(at_2_mm.shape), -1, 0)
    return probabilities, output[OFFSET_CHANNELS].numpy() * OFFSET_UNIT_MM + grid_mm


def _coarse_grid_mm(shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    return patch_grid_mm((shape[0], shape[1], shape[2]), VOXEL_MM)


def _owners(
    coarse: npt.NDArray[np.float32],
    votes_mm: npt.NDArray[np.float32],
    centres: tuple[UInt8, npt.NDArray[np.floating]],
) -> UInt8:
    """Give vertebra voxels to the true centre they vote for, and grow as the product does."""
    tissue = coarse.argmax(axis=0)
    vertebra = (tissue == Tissue.BODY) | (tissue == Tissue.POSTERIOR)
    owner = np.zeros(tissue.shape, dtype=np.uint8)
    labels, centres_mm = centres
    if not labels.size or not vertebra.any():
        return owner
    away, nearest = cKDTree(centres_mm).query(votes_mm[:, vertebra].T)
    owner[vertebra] = np.where(away < _VOTE_REACH_MM, labels[nearest], 0)
    distance, index = ndimage.distance_transform_edt(owner == 0, return_indices=True)
    dropped = vertebra & (owner == 0)
    grown: UInt8 = np.where((distance <= _GROWTH_VOXELS) & ~dropped, owner[tuple(index)], 0)
    return grown.astype(np.uint8)


def _true_centres(truth: LabelGeometry) -> tuple[UInt8, npt.NDArray[np.float64]]:
    """Labels in view and the centres (n, 3) their offsets point at."""
    shape = truth.levels.shape
    grid = patch_grid_mm((shape[0], shape[1], shape[2]), truth.voxel_mm)
    labels, first = np.unique(truth.levels, return_index=True)
    labels, first = labels[labels > 0], first[labels > 0]
    offsets = np.moveaxis(truth.offsets, 0, -1).reshape(-1, 3)[first] * OFFSET_UNIT_MM
    return labels, (grid.reshape(-1, 3)[first] + offsets).astype(np.float64)
