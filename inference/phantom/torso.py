"""Soft tissue around a spine: skin, fat, muscles, organs, lungs, vessels, as classes.

Positions are relative to the spine: at every height the outline and the organs follow the column,
so that scoliosis bends the trunk with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from inference.anatomy import VertebraLevel
from inference.phantom.anatomy import SpineAnatomy
from inference.phantom.grid import Grid
from inference.phantom.shapes import Field
from inference.volume import LabelArray


class Tissue(IntEnum):
    """Tissue classes of `GeometryMaps.tissue`."""

    AIR = 0
    FAT = 1
    MUSCLE = 2
    VISCERAL_FAT = 3
    LUNG = 4
    LIVER = 5
    SPLEEN = 6
    KIDNEY = 7
    BOWEL = 8
    BOWEL_GAS = 9
    HEART = 10
    AORTA = 11
    VENA_CAVA = 12
    SKIN = 13
    CANAL = 14
    DISC = 15
    BODY = 16
    POSTERIOR = 17
    SACRUM = 18
    RIB = 19
    OTHER_BONE = 20


Mask = npt.NDArray[np.bool_]

SKIN_MM = 1.8
_OUTLINE_STOPS = [-150, -40, 60, 160, 300, 420, 455, 480]
"""Heights above the sacral endplate, mm at scale 1, at which the outline is given."""
_HALF_WIDTH_MM = [176, 174, 160, 158, 162, 172, 110, 70]
_HALF_DEPTH_MM = [112, 112, 108, 110, 116, 92, 76, 62]
_BACK_STOPS = [-150, 0, 60, 200, 480]
_BACK_MM = [88, 84, 78, 74, 70]


@dataclass(frozen=True)
class _Trunk:
    """Coordinates relative to the column: x, y from the body centre, height from S1, in mm.

    `cage_mm` is the half width of the rib cage at every height, 0 where there are no ribs.
    """

    x: Field
    y: Field
    z: Field
    ripple: Field
    scale: float
    girth: float
    cage_mm: Field
    diaphragm_mm: float
    psoas_top_mm: float
    apex_mm: float


def torso_tissue(anatomy: SpineAnatomy, grid: Grid) -> LabelArray:
    """Soft-tissue class of every voxel; where bone will be, what surrounds it."""
    trunk = _trunk(anatomy, grid)
    depth = _depth_under_skin(trunk)
    tissue = np.zeros(grid.shape_kji, np.uint8)
    tissue[depth > 0] = Tissue.SKIN
    tissue[depth > SKIN_MM] = Tissue.FAT
    k = trunk.scale
    wall = depth - _fat_mm(trunk) * k
    tissue[(wall > 0) & (wall < 11 * k)] = Tissue.MUSCLE
    cavity = wall >= 11 * k
    tissue[cavity] = Tissue.VISCERAL_FAT
    _place_organs(tissue, trunk, cavity)
    _place_back(tissue, trunk, wall)
    _place_vessels(tissue, trunk, cavity)
    return tissue


def _trunk(anatomy: SpineAnatomy, grid: Grid) -> _Trunk:
    whole = (slice(0, grid.shape_kji[0]), slice(0, grid.shape_kji[1]), slice(0, grid.shape_kji[2]))
    x, y, z = grid.local_points(whole, np.eye(3), np.zeros(3))
    centers = np.array([v.center_lps_mm for v in anatomy.vertebrae])[::-1]
    below = np.array([[0.0, 10.0, -25.0], [0.0, 30.0, -110.0]])
    path = np.vstack([below[::-1], centers])
    middle_x = np.interp(z, path[:, 2], path[:, 0]).astype(np.float32)
    middle_y = np.interp(z, path[:, 2], path[:, 1]).astype(np.float32)
    k = anatomy.scale
    ripple = np.sin(z / 23) * np.sin(x / 31 + 1) + 0.7 * np.sin(x / 17 + z / 41) * np.cos(y / 19)
    levels = {v.level: v.center_lps_mm[2] for v in anatomy.vertebrae}
    diaphragm = levels.get(VertebraLevel.T11, levels[VertebraLevel.T10])
    return _Trunk(
        x - middle_x, y - middle_y, z, ripple.astype(np.float32), k, anatomy.girth,
        _cage_half_width(anatomy, z), float(diaphragm), float(levels[VertebraLevel.L1]),
        float(levels[VertebraLevel.T1]),
    )  # fmt: skip


def _cage_half_width(anatomy: SpineAnatomy, z: Field) -> Field:
    """Widest reach of the ribs to either side at every height."""
    points = np.vstack([rib.path_lps_mm for rib in anatomy.ribs])
    middle = float(np.mean(points[:, 0]))
    stops = np.arange(points[:, 2].min() - 10, points[:, 2].max() + 20, 8.0)
    near = np.abs(points[:, 2][None, :] - stops[:, None]) < 14
    reach = np.where(near, np.abs(points[:, 0] - middle), 0).max(axis=1)
    reach = np.convolve(np.pad(reach, 2, mode="edge"), np.full(5, 0.2), mode="valid")
    return np.interp(z, stops, reach).astype(np.float32)


def skin_depth(anatomy: SpineAnatomy, grid: Grid) -> Field:
    """Distance below the skin in mm at every voxel, negative outside the patient."""
    return _depth_under_skin(_trunk(anatomy, grid))


def back_mm(anatomy: SpineAnatomy) -> float:
    """y of the table's contact: the rearmost skin between the sacrum and the lower thorax."""
    middle = [v.center_lps_mm for v in anatomy.vertebrae if v.level >= VertebraLevel.T6]
    return max(float(c[1] + _back_of_column(c[2], anatomy.scale)) for c in middle)


def _back_of_column(z_mm: float, scale: float) -> float:
    return float(np.interp(z_mm / scale, _BACK_STOPS, _BACK_MM)) * scale


def _superellipse(x: Field, y: Field, power: float) -> Field:
    radius = (np.abs(x) ** power + np.abs(y) ** power) ** np.float32(1 / power)
    return np.asarray(radius, np.float32)


def _depth_under_skin(trunk: _Trunk) -> Field:
    """Distance below the skin in mm, negative outside."""
    k = trunk.scale
    girth = k * trunk.girth
    half_width = (np.interp(trunk.z / k, _OUTLINE_STOPS, _HALF_WIDTH_MM) * girth).astype(np.float32)
    half_depth = (np.interp(trunk.z / k, _OUTLINE_STOPS, _HALF_DEPTH_MM) * girth).astype(np.float32)
    back = (np.interp(trunk.z / k, _BACK_STOPS, _BACK_MM) * k).astype(np.float32)
    center = back - half_depth
    groove = 5 * k * np.exp(-((trunk.x / (9 * k)) ** 2)) * (trunk.y > 0)
    radius = _superellipse(trunk.x / half_width, (trunk.y - center) / half_depth, 2.3)
    depth = (1 - radius) * np.minimum(half_width, half_depth) - groove + 0.4 * trunk.ripple
    return np.asarray(depth, np.float32)


def _fat_mm(trunk: _Trunk) -> Field:
    thickness = np.interp(trunk.z, [-100, 20, 150, 300], [24, 20, 15, 11])
    extra = 60 * (trunk.girth - 1)
    return np.clip(thickness + extra, 4, None).astype(np.float32)


def _ellipsoid(trunk: _Trunk, center: tuple[float, ...], radii: tuple[float, ...]) -> Field:
    """Inside (< 1) of an ellipsoid given at scale 1, slightly rippled."""
    k = trunk.scale
    total = sum(
        ((p - c * k) / (r * k)) ** 2
        for p, c, r in zip((trunk.x, trunk.y, trunk.z), center, radii, strict=True)
    )
    return np.asarray(np.sqrt(total), np.float32) + 0.035 * trunk.ripple


def _place_organs(tissue: LabelArray, trunk: _Trunk, cavity: Mask) -> None:
    k, top = trunk.scale, trunk.diaphragm_mm / trunk.scale
    front = trunk.y + 5 * trunk.ripple < -20 * k
    coils = np.sin(trunk.x / (11 * k) + 1.5 * trunk.ripple) * np.sin(trunk.y / (13 * k) + 1)
    coils = coils + 0.9 * np.sin(trunk.z / (12 * k) + 2 * np.sin(trunk.x / (29 * k)))
    below = trunk.z + 14 * trunk.ripple < (top - 50) * k
    tissue[cavity & front & below & (coils > 0.05)] = Tissue.BOWEL
    tissue[cavity & front & below & (coils > 1.25)] = Tissue.BOWEL_GAS
    dome = 42 * k * np.clip(1 - ((np.abs(trunk.x) - 70 * k) / (75 * k)) ** 2, -1, 1)
    dome = trunk.diaphragm_mm - 12 * k + dome - 0.35 * np.clip(trunk.y + 40 * k, 0, None)
    dome = dome - 0.003 * np.clip(-trunk.y - 70 * k, 0, None) ** 2 + 3 * trunk.ripple
    below_dome = trunk.z < dome - 3
    liver = _ellipsoid(trunk, (-62, -78, top + 2), (86, 84, 88))
    tissue[cavity & below_dome & (liver < 1)] = Tissue.LIVER
    spleen = _ellipsoid(trunk, (98, -22, top + 4), (34, 46, 52))
    tissue[cavity & below_dome & (spleen < 1)] = Tissue.SPLEEN
    for side, drop in ((1, 70), (-1, 80)):
        kidney = _ellipsoid(trunk, (side * 62, 6, top - drop), (27, 25, 54))
        tissue[cavity & (kidney < 1)] = Tissue.KIDNEY
    above = cavity & (trunk.z > dome)
    tissue[above] = Tissue.MUSCLE
    width = np.maximum(trunk.cage_mm - 3 * k, 5)
    cage = _superellipse(trunk.x / width, (trunk.y - 41 * k + 0.66 * width) / (0.72 * width), 2)
    above &= (cage < 1) & (trunk.z < trunk.apex_mm)
    tissue[above] = Tissue.LUNG
    mediastinum = np.abs(trunk.x) < (24 * k + 0.22 * np.clip(-trunk.y, 0, 90 * k))
    mediastinum &= trunk.y < 14 * k
    tissue[above & mediastinum] = Tissue.VISCERAL_FAT
    heart = _ellipsoid(trunk, (22, -92, top + 62), (58, 46, 48))
    tissue[above & (heart < 1)] = Tissue.HEART
    # the diaphragm itself, a thin muscle between abdomen and lung
    tissue[cavity & (np.abs(trunk.z - dome + 1.5) < 2.2)] = Tissue.MUSCLE
    windpipe = np.hypot(trunk.x, trunk.y + 36 * k) < 8.5 * k
    tissue[cavity & windpipe & (trunk.z > trunk.apex_mm - 75 * k)] = Tissue.BOWEL_GAS


def _place_back(tissue: LabelArray, trunk: _Trunk, wall: Field) -> None:
    """Paraspinal and psoas muscles with fat planes between them."""
    k = trunk.scale
    side = np.abs(trunk.x)
    near = np.sqrt(trunk.x**2 + trunk.y**2) + 1.5 * trunk.ripple
    thorax = trunk.z > trunk.diaphragm_mm
    pleura = np.where(side < 24 * k, 14 * k, 32 * k)
    behind = (wall > 0) & (trunk.y > np.where(thorax, pleura, 22 * k - 0.1 * side))
    tissue[behind & (side < 78 * k)] = Tissue.FAT
    lateral = np.where(thorax, 26 * k, 34 * k)
    erector = ((side - lateral) / (29 * k)) ** 2 + ((trunk.y - 47 * k) / (22 * k)) ** 2
    tissue[behind & (erector + 0.05 * trunk.ripple < 1)] = Tissue.MUSCLE
    multifidus = ((side - 14 * k) / (13 * k)) ** 2 + ((trunk.y - 44 * k) / (19 * k)) ** 2
    tissue[behind & (multifidus + 0.05 * trunk.ripple < 1)] = Tissue.MUSCLE
    strand = np.sin(side / 2.1 + trunk.y / 4.3 + 4 * np.sin(trunk.z / 17 + trunk.y / 9))
    streak = strand + 0.5 * np.sin(side / 5.3 - trunk.y / 3.7 + trunk.z / 29) > 1.33
    tissue[behind & (tissue == Tissue.MUSCLE) & streak] = Tissue.FAT
    lumbar = (wall > 0) & ~thorax
    quadratus = ((side - 62 * k) / (17 * k)) ** 2 + ((trunk.y - 26 * k) / (8 * k)) ** 2
    above_crest = trunk.z > 5 * k
    tissue[lumbar & above_crest & (quadratus < 1)] = Tissue.MUSCLE
    growth = np.clip((trunk.psoas_top_mm + 10 * k - trunk.z) / (140 * k), 0, 1)
    offset, radius = (30 + 12 * growth) * k, (5 + 17 * growth) * k
    psoas = np.sqrt((side - offset) ** 2 + ((trunk.y + 2 * k + 12 * k * growth) / 1.15) ** 2)
    tissue[lumbar & (growth > 0) & (psoas + trunk.ripple < radius)] = Tissue.MUSCLE
    close = (wall > 0) & (near < 29 * k) & (trunk.y > -24 * k)
    tissue[close & (tissue == Tissue.LUNG)] = Tissue.VISCERAL_FAT


def _place_vessels(tissue: LabelArray, trunk: _Trunk, cavity: Mask) -> None:
    k = trunk.scale
    aorta = np.hypot(trunk.x - 9 * k, trunk.y + 31 * k) + 0.8 * trunk.ripple
    cava = np.hypot((trunk.x + 19 * k) / 1.2, trunk.y + 31 * k) + 0.8 * trunk.ripple
    bifurcation = 45 * k
    below_arch = trunk.z < trunk.apex_mm - 70 * k
    tissue[cavity & (aorta < 10.5 * k) & (trunk.z > bifurcation) & below_arch] = Tissue.AORTA
    in_abdomen = (trunk.z > bifurcation - 12 * k) & (trunk.z < trunk.diaphragm_mm + 20 * k)
    tissue[cavity & (cava < 9.5 * k) & in_abdomen] = Tissue.VENA_CAVA
    spread = np.clip((bifurcation - trunk.z) / (90 * k), 0, 1)
    for side, kind in ((1, Tissue.AORTA), (-1, Tissue.VENA_CAVA)):
        middle = (9 if side > 0 else -15) * k * (1 - spread) + side * 52 * k * spread
        iliac = np.hypot(trunk.x - middle, trunk.y + (31 - 12 * spread) * k)
        tissue[cavity & (spread > 0) & (iliac < 6.5 * k)] = kind
