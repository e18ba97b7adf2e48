"""The voxels that a body's heights are read from: its mid-sagittal slab, and what lies around."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from inference.bodies import signed_distance_mm
from inference.body_axes import BodyFrame
from inference.body_surface import BodySurface
from inference.report import Segmentation

SLAB_HALF_MM = 4.0
COARSE_SHARE = 1.1
"""Coarse voxels count for a place up to this many voxels away."""
DEFAULT_TRABECULAR_HU = 150.0
FAR_MM = 99.0

BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class SlabVoxels:
    """Voxels of the mid-sagittal slab in the body's frame.

    Attributes
    ----------
    position_mm
        (n, 3) anterior, left, cranial of the voxel centres.
    hu
        (n,) HU.
    beyond_mm
        (n,) signed distance to the other vertebrae's surfaces, negative outside them.
    spoiled
        (n,) bool, metal, cement, or the blur and streaks around them.
    box_mm
        (3, 3), row g: grid axis g's voxel step in the frame.
    trabecular_hu
        Median in the depth of the body.
    mask_sd_mm
        How far the mask's surface may be off, beside the voxel's share.
    """

    position_mm: FloatArray
    hu: FloatArray
    beyond_mm: FloatArray
    spoiled: BoolArray
    box_mm: FloatArray
    trabecular_hu: float
    mask_sd_mm: float

    @property
    def spacing_mm(self) -> FloatArray:
        """(3,) edges of a voxel."""
        return np.asarray(np.linalg.norm(self.box_mm, axis=1))


@dataclass(frozen=True)
class Surroundings:
    """What else lies in a body's crop.

    Attributes
    ----------
    others
        bool (k, j, i), voxels of other vertebrae.
    spoiled
        bool (k, j, i), foreign material and what it blurs.
    beyond_mm
        (k, j, i), signed distance to the other vertebrae's surfaces, negative outside them.
    mask_sd_mm
        How far the surfaces of these masks may be off.
    """

    others: BoolArray
    spoiled: BoolArray
    beyond_mm: FloatArray
    mask_sd_mm: float

    @property
    def excluded(self) -> BoolArray:
        """Voxels that say nothing about this body."""
        return self.others | self.spoiled


def surroundings(
    surface: BodySurface, masks: Segmentation, spoiled: BoolArray, label: int
) -> Surroundings:
    """Other vertebrae (any other label) and what metal or cement spoils in the surface's crop."""
    here = masks.labels[surface.box]
    others = (here != 0) & (here != label)
    beyond = np.full(here.shape, -FAR_MM)
    if others.any():
        beyond = signed_distance_mm(others, surface.volume.spacing_kji_mm)
    return Surroundings(others, spoiled[surface.box], beyond, masks.model.surface_sd_mm)


def slab_voxels(surface: BodySurface, frame: BodyFrame, around: Surroundings) -> SlabVoxels:
    """Voxels of the slab with their HU, without those that other vertebrae occupy."""
    start = np.array(surface.start_kji)
    hu = surface.volume.hu[surface.box].astype(np.float64)
    usable = ~around.others
    deep = ~around.excluded & (surface.distance_mm > 0.6 * surface.distance_mm.max())
    core = float(np.median(hu[deep])) if deep.any() else DEFAULT_TRABECULAR_HU
    position = frame.from_lps_mm(surface.volume.to_lps_mm(np.argwhere(usable) + start))
    step = surface.volume.affine_lps[:3, :3].T @ frame.axes.T
    half = max(SLAB_HALF_MM, COARSE_SHARE * float(np.abs(step[:, 1]).max()))
    near = np.abs(position[:, 1]) <= half
    return SlabVoxels(
        position_mm=position[near],
        hu=hu[usable][near],
        beyond_mm=around.beyond_mm[usable][near],
        spoiled=around.spoiled[usable][near],
        box_mm=step,
        trabecular_hu=core,
        mask_sd_mm=around.mask_sd_mm,
    )
