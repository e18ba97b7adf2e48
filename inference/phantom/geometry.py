"""Anatomy on a voxel grid: labels, tissue classes and the distance to the bone surface."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from inference.anatomy import SACRUM_LABEL
from inference.phantom.anatomy import SpineAnatomy
from inference.phantom.bones import BoneFields, bone_fields
from inference.phantom.grid import Displacement, Grid
from inference.phantom.shapes import Field
from inference.phantom.torso import Tissue, torso_tissue
from inference.volume import Affine, LabelArray

__all__ = ["GeometryMaps", "Tissue", "label_maps", "rasterise"]

DISPLACEMENT_MARGIN_MM = 10.0
"""Largest elastic displacement for which boxes are widened."""


@dataclass(frozen=True)
class GeometryMaps:
    """One anatomy on one grid.

    Attributes
    ----------
    labels
        uint8, VerSe labels of whole vertebrae, sacrum 26.
    bodies
        uint8, the same labels on vertebral bodies only (inside `labels`).
    tissue
        uint8, `Tissue` values; bones as their own classes.
    sdf_mm
        float32, signed distance to the nearest bone surface, negative in bone, at most 40.
    """

    labels: LabelArray
    bodies: LabelArray
    tissue: LabelArray
    sdf_mm: Field


def label_maps(fields: BoneFields) -> tuple[LabelArray, LabelArray]:
    """Whole-vertebra and body labels of evaluated bones."""
    inside = fields.vertebra < 0
    labels = np.where(inside, fields.owner, 0).astype(np.uint8)
    bodies = np.where(inside & fields.in_body, fields.owner, 0).astype(np.uint8)
    labels[(fields.sacrum < 0) & ~inside] = SACRUM_LABEL
    return labels, bodies


def rasterise(
    anatomy: SpineAnatomy,
    affine_lps: Affine,
    shape_kji: tuple[int, int, int],
    displacement_lps_mm: Displacement | None = None,
) -> GeometryMaps:
    """Put `anatomy` on a grid; deterministic, any spacing and orientation.

    Parameters
    ----------
    affine_lps
        4x4, index (k, j, i, 1) to LPS mm of voxel centres; the anatomy's origin is the middle of
        the first sacral endplate.
    displacement_lps_mm
        Optional elastic deformation (k, j, i, 3), below `DISPLACEMENT_MARGIN_MM` in size.
    """
    margin = 0.0 if displacement_lps_mm is None else DISPLACEMENT_MARGIN_MM
    grid = Grid(np.asarray(affine_lps, np.float64), shape_kji, displacement_lps_mm, margin)
    fields = bone_fields(anatomy, grid)
    labels, bodies = label_maps(fields)
    tissue = torso_tissue(anatomy, grid)
    soft = tissue != Tissue.AIR
    tissue[(fields.disc < 0) & soft] = Tissue.DISC
    tissue[(fields.canal < 0) & soft] = Tissue.CANAL
    tissue[fields.pelvis < 0] = Tissue.OTHER_BONE
    tissue[fields.rib < 0] = Tissue.RIB
    tissue[labels > 0] = Tissue.POSTERIOR
    tissue[labels == SACRUM_LABEL] = Tissue.SACRUM
    tissue[bodies > 0] = Tissue.BODY
    return GeometryMaps(labels, bodies, tissue, fields.bone)
