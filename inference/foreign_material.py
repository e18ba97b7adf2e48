"""Screws, rods, cages and bone cement in or at a vertebra, found by their HU.

Metal is denser than any bone. Cement overlaps dense cortex in HU but not in shape: it fills a
blob, where cortex is a shell of few millimetres, and streaks are thinner still.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from inference.anatomy import VertebraLevel
from inference.label_boxes import in_voxels, widened
from inference.report import Segmentation
from inference.volume import CTVolume, LabelArray, Notice

METAL_HU = 2400
"""No bone reaches it; many scanners clip at 3071."""
CEMENT_HU = 1200
SMALLEST_METAL_ML = 0.08
SMALLEST_CEMENT_ML = 0.3
CEMENT_CORE_MM = 2.5
"""Depth of a cement blob; cortex and streaks are thinner."""
SURROUNDINGS_MM = 2.0
"""Material counts for a vertebra up to this far outside its mask."""
BLOOM_MM = 2.0
"""Blurred rim of the material, excluded with it."""
STREAKS_MM = 10.0
"""This near to metal, streaks and shadows are as strong as an endplate."""

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class ForeignMaterial:
    """Where foreign material lies.

    Attributes
    ----------
    mask
        bool (k, j, i), the material in and around vertebrae with what it spoils: the blurred rim
        of cement, the streaks near metal.
    core
        bool (k, j, i), the material alone: no bone.
    volume_ml
        Level to the volume of the material; only levels that hold some.
    """

    mask: BoolArray
    core: BoolArray
    volume_ml: dict[VertebraLevel, float]

    def removed_from(self, segmentation: Segmentation) -> Segmentation:
        """The masks without the material; itself if there is none."""
        if not self.volume_ml:
            return segmentation
        levels = sorted(self.volume_ml, key=lambda level: level.rank)
        named = ", ".join(level.name for level in levels)
        text = f"Metal or cement at {named}: not in the masks, and no texture or density there."
        return replace(
            segmentation,
            labels=np.where(self.core, 0, segmentation.labels).astype(np.uint8),
            bodies=np.where(self.core, 0, segmentation.bodies).astype(np.uint8),
            warnings=(*segmentation.warnings, Notice("foreign_material", text)),
        )


def find_foreign_material(volume: CTVolume, labels: LabelArray) -> ForeignMaterial:
    """Metal and cement per vertebra.

    Parameters
    ----------
    labels
        uint8 (k, j, i), VerSe labels of whole vertebrae.
    """
    spacing = np.array(volume.spacing_kji_mm)
    mask = np.zeros(labels.shape, dtype=bool)
    core = np.zeros(labels.shape, dtype=bool)
    found: dict[VertebraLevel, float] = {}
    known = {int(level) for level in VertebraLevel}
    for label, box in enumerate(ndimage.find_objects(labels), start=1):
        if box is None or label not in known:
            continue
        near = widened(box, in_voxels(SURROUNDINGS_MM + 1.0, spacing), labels.shape)
        material = _material(volume.hu[near], labels[near] == label, spacing)
        if material.any():
            found[VertebraLevel(label)] = float(material.sum() * spacing.prod() / 1000.0)
            core[near] |= material
            wide = widened(near, in_voxels(STREAKS_MM, spacing), labels.shape)
            mask[wide] |= _spoiled(volume.hu[wide], core[wide], spacing)
    return ForeignMaterial(mask, core, found)


def _material(hu: npt.NDArray[np.int16], vertebra: BoolArray, spacing: npt.ArrayLike) -> BoolArray:
    sampling = np.asarray(spacing, dtype=np.float64)
    if hu.max() < CEMENT_HU:
        return np.zeros_like(vertebra)
    reach = _grown(vertebra, sampling, SURROUNDINGS_MM)
    voxel_ml = sampling.prod() / 1000.0
    metal = (hu > METAL_HU) & reach
    if metal.sum() * voxel_ml < SMALLEST_METAL_ML:
        metal[:] = False
    dense = (hu > CEMENT_HU) & reach
    parts, count = ndimage.label(dense)
    material = metal
    if count:
        depth = ndimage.distance_transform_edt(np.pad(dense, 1), sampling=sampling)[
            1:-1, 1:-1, 1:-1
        ]
        deepest = ndimage.maximum(depth, parts, index=np.arange(1, count + 1))
        sizes = np.bincount(parts.ravel())[1:] * voxel_ml
        holds_metal = np.asarray(ndimage.maximum(metal, parts, index=np.arange(1, count + 1)))
        thick = (deepest >= CEMENT_CORE_MM) & (sizes >= SMALLEST_CEMENT_ML)
        wanted = np.flatnonzero(thick | (holds_metal > 0)) + 1
        material = metal | np.isin(parts, wanted)
    return np.asarray(material)


def _spoiled(hu: npt.NDArray[np.int16], material: BoolArray, spacing: npt.ArrayLike) -> BoolArray:
    """The material, followed beyond the vertebra (cement leaks), and what it makes unreadable."""
    whole = np.asarray(ndimage.binary_propagation(material, mask=hu > CEMENT_HU))
    metal = whole & (hu > METAL_HU)
    spoiled = _grown(whole, spacing, BLOOM_MM)
    return spoiled | _grown(metal, spacing, STREAKS_MM) if metal.any() else spoiled


def _grown(mask: BoolArray, spacing: npt.ArrayLike, by_mm: float) -> BoolArray:
    distance = ndimage.distance_transform_edt(~mask, sampling=np.asarray(spacing))
    return np.asarray(distance <= by_mm)
