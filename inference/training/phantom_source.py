"""Procedural spines (`inference.phantom`) as label sources: any number of them, no data folder."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from inference.anatomy import SACRUM_LABEL
from inference.networks import Tissue
from inference.phantom.anatomy import SpineAnatomy, random_options, sample_anatomy
from inference.phantom.bones import BoneFields, bone_fields
from inference.phantom.geometry import label_maps
from inference.phantom.grid import Grid
from inference.phantom.torso import Tissue as TorsoTissue
from inference.phantom.torso import torso_tissue
from inference.training.label_source import (
    AIR,
    ARTERY,
    DISC_TISSUE,
    FAT,
    FIRST_ORGAN,
    LUNG,
    MUSCLE,
    VEIN,
    LabelSource,
    UInt8,
    skin_distance,
    stored_distance,
)

SPACING_MM = 2.0
_BESIDE_MM = (105.0, 80.0, 110.0)
"""Kept around the column to the right and left, behind it, and in front of it."""

_BELOW_MM, _ABOVE_MM = 130.0, 30.0

_KNOWN = {
    TorsoTissue.AIR: AIR,
    TorsoTissue.FAT: FAT,
    TorsoTissue.VISCERAL_FAT: FAT,
    TorsoTissue.MUSCLE: MUSCLE,
    TorsoTissue.SKIN: MUSCLE,
    TorsoTissue.LUNG: LUNG,
    TorsoTissue.AORTA: ARTERY,
    TorsoTissue.VENA_CAVA: VEIN,
}


def phantom_source(seed: int, spacing_mm: float = SPACING_MM) -> LabelSource:
    """Draw one procedural patient; equal seeds give equal patients at every spacing."""
    rng = np.random.default_rng(seed)
    anatomy = sample_anatomy(rng, random_options(rng))
    affine, shape = _frame(anatomy, spacing_mm)
    grid = Grid(affine, shape)
    fields = bone_fields(anatomy, grid)
    labels, bodies = label_maps(fields)
    tissue = torso_tissue(anatomy, grid)
    surroundings = _surroundings(tissue)
    surroundings[(fields.disc < 0) & (tissue != TorsoTissue.AIR)] = DISC_TISSUE
    levels = np.where(labels == SACRUM_LABEL, 0, labels).astype(np.uint8)
    rest = np.minimum(fields.sacrum, np.minimum(fields.rib, fields.pelvis))
    to_index = np.linalg.inv(affine)
    return LabelSource(
        name=f"phantom_{seed}",
        spacing_mm=spacing_mm,
        classes=tissue_classes(fields, labels, bodies),
        levels=levels,
        spine_distance=stored_distance(fields.vertebra),
        rest_distance=stored_distance(rest),
        surroundings=surroundings,
        skin_distance=skin_distance(
            tissue[::2, ::2, ::2] != TorsoTissue.AIR, 2 * spacing_mm, tissue.shape
        ),
        centres={
            int(v.level): to_index[:3, :3] @ v.center_lps_mm + to_index[:3, 3]
            for v in anatomy.vertebrae
        },
    )


def _frame(
    anatomy: SpineAnatomy, spacing_mm: float
) -> tuple[npt.NDArray[np.float64], tuple[int, int, int]]:
    """Affine from index ``[R+, A+, S+]`` to LPS mm, and the shape, of a box around the column."""
    centres = np.array([v.center_lps_mm for v in anatomy.vertebrae])
    beside, behind, before = _BESIDE_MM
    low = centres.min(axis=0) - np.array([beside, before, _BELOW_MM])
    high = centres.max(axis=0) + np.array([beside, behind, _ABOVE_MM])
    affine = np.diag([-spacing_mm, -spacing_mm, spacing_mm, 1.0])
    affine[:3, 3] = high[0], high[1], low[2]
    x, y, z = (int(n) for n in np.ceil((high - low) / spacing_mm))
    return affine, (x, y, z)


def tissue_classes(fields: BoneFields, labels: UInt8, bodies: UInt8) -> UInt8:
    """`inference.networks.Tissue` of every voxel of a procedural patient's bones and discs."""
    classes = np.zeros(labels.shape, dtype=np.uint8)
    classes[fields.disc < 0] = Tissue.DISC
    classes[fields.pelvis < 0] = Tissue.OTHER_BONE
    classes[fields.rib < 0] = Tissue.RIB
    classes[labels > 0] = Tissue.POSTERIOR
    classes[labels == SACRUM_LABEL] = Tissue.SACRUM
    classes[bodies > 0] = Tissue.BODY
    return classes


def _surroundings(tissue: UInt8) -> UInt8:
    table = np.arange(256, dtype=np.uint8) + np.uint8(FIRST_ORGAN)
    for theirs, ours in _KNOWN.items():
        table[theirs] = ours
    return table[tissue]
