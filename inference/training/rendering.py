"""Renders label geometry to a CT patch in Hounsfield units.

The physical range is wide on purpose: the network must not care which scanner, which contrast
phase or how much mineral it sees. Steps: soft tissue, bone, implants (`implants`), then what the
scanner and the reconstruction do (`acquisition`).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from inference.networks import Tissue
from inference.training.acquisition import acquired
from inference.training.geometry import LabelGeometry
from inference.training.implants import implanted
from inference.training.label_source import (
    AIR,
    ARTERY,
    CANAL,
    DISC_TISSUE,
    FAT,
    FIRST_ORGAN,
    LUNG,
    MUSCLE,
    TABLE,
    VEIN,
)
from inference.training.random_draws import Draws
from inference.training.warp import GRID_MM

_HU_PER_MG = (0.9, 1.35)
"""HU per mg/cm³ of hydroxyapatite between 80 and 140 kVp."""

_HU_RANGE = (-1024.0, 3071.0)


@dataclass(frozen=True)
class Scene:
    """Geometry as tensors: (x, y, z) classes, levels, tissues, and mm to the bone surface."""

    classes: Tensor
    levels: Tensor
    tissues: Tensor
    distance_mm: Tensor

    @staticmethod
    def of(geometry: LabelGeometry) -> Scene:
        """Tensors of a geometry."""
        return Scene(
            classes=torch.from_numpy(geometry.classes).long(),
            levels=torch.from_numpy(geometry.levels).long(),
            tissues=torch.from_numpy(geometry.surroundings).long(),
            distance_mm=torch.from_numpy(geometry.bone_distance_mm),
        )


def render_hu(geometry: LabelGeometry, seed: int) -> Tensor:
    """Render one patch.

    Parameters
    ----------
    geometry
        Anatomy of one patch.
    seed
        Decides everything that is random.

    Returns
    -------
    float32 (x, y, z), HU within -1024 to 3071.
    """
    draws = Draws(seed, geometry.voxel_mm)
    scene = Scene.of(geometry)
    partial_mm = draws.between(0.5, 1.1) * GRID_MM / 2
    soft = _soft_tissue(scene, draws)
    bone = _bone(scene, partial_mm, draws)
    inside = torch.sigmoid(-scene.distance_mm / (partial_mm * 0.6))
    image = soft * (1 - inside) + bone * inside
    image = implanted(image, scene.classes, draws)
    return acquired(image, draws).clamp(*_HU_RANGE)


def _soft_tissue(scene: Scene, draws: Draws) -> Tensor:
    table = _tissue_table(draws)
    image = table[scene.tissues]
    living = (scene.tissues > AIR).float()
    image = image + living * draws.field(image.shape, 4) * draws.between(2, 18)
    image = image + living * draws.field(image.shape, 12) * draws.between(2, 14)
    image = _with_lung_vessels(image, scene, draws)
    image = _with_wall_calcium(image, scene, draws)
    lining = (scene.distance_mm < 2.5) & (scene.tissues <= LUNG) & (scene.tissues != AIR)
    ligament = draws.between(-60, 60) + draws.field(image.shape, 4) * 25
    image = torch.where(lining, ligament, image)
    return _with_disc_changes(image, scene, draws)


def _tissue_table(draws: Draws) -> Tensor:
    contrast = draws.happens(0.5)
    table = torch.empty(256)
    for organ in range(FIRST_ORGAN, 256):
        table[organ] = _organ_hu(draws, contrast)
    table[AIR] = -1000.0
    table[FAT] = draws.between(-125, -80)
    table[MUSCLE] = draws.between(25, 75)
    table[LUNG] = draws.between(-930, -680)
    table[CANAL] = draws.between(0, 50)
    table[DISC_TISSUE] = draws.between(50, 130)
    table[ARTERY] = draws.between(100, 420) if contrast else draws.between(25, 60)
    table[VEIN] = draws.between(60, 220) if contrast else draws.between(20, 60)
    table[TABLE] = draws.between(-300, 300)
    return table


def _organ_hu(draws: Draws, contrast: bool) -> float:
    """Parenchyma, fat, enhanced tissue, fluid, bowel gas, or bowel with oral contrast."""
    kind = draws.between(0, 1)
    ranges = (
        (0.33, -120.0, -85.0),
        (0.62, 20.0, 75.0),
        (0.75, 60.0, 200.0 if contrast else 90.0),
        (0.84, -20.0, 25.0),
        (0.94, -1000.0, -800.0),
        (0.97, 150.0 if contrast else -700.0, 600.0 if contrast else -50.0),
    )
    for until, low, high in ranges:
        if kind < until:
            return draws.between(low, high)
    return draws.between(-700, -50)


def _with_lung_vessels(image: Tensor, scene: Scene, draws: Draws) -> Tensor:
    vessels = (scene.tissues == LUNG) & (draws.field(image.shape, 3) > draws.between(1.2, 2.2))
    return torch.where(vessels, torch.full_like(image, draws.between(-300, 80)), image)


def _with_wall_calcium(image: Tensor, scene: Scene, draws: Draws) -> Tensor:
    if not draws.happens(0.5):
        return image
    vessel = (scene.tissues == ARTERY).float()[None, None]
    near = torch.nn.functional.max_pool3d(vessel, 3, 1, 1)[0, 0] > 0
    wall = near & (scene.tissues != ARTERY)
    plaque = wall & (draws.field(image.shape, 5) > draws.between(0.8, 2.0))
    return torch.where(plaque, torch.full_like(image, draws.between(250, 1000)), image)


def _with_disc_changes(image: Tensor, scene: Scene, draws: Draws) -> Tensor:
    """Inhomogeneous discs; now and then vacuum or calcification."""
    disc = scene.classes == Tissue.DISC
    if draws.happens(0.5):
        texture = draws.field(image.shape, 4) * draws.between(5, 40)
        image = torch.where(disc, image + texture, image)
    if draws.happens(0.15):
        cleft = disc & (draws.field(image.shape, 4) > draws.between(0.3, 1.5))
        gas = draws.happens(0.6)
        value = draws.between(-700, -50) if gas else draws.between(150, 500)
        image = torch.where(cleft, torch.full_like(image, value), image)
    return image


def _bone(scene: Scene, partial_mm: float, draws: Draws) -> Tensor:
    core = _trabecular(scene, draws)
    shell = torch.sigmoid(
        (scene.distance_mm + _cortex_mm(scene, draws) + 0.3) / (partial_mm * 0.55)
    )
    return core + _cortex_hu(scene, draws) * shell


def _trabecular(scene: Scene, draws: Draws) -> Tensor:
    density_mg = draws.between(40, 250) if draws.happens(0.8) else draws.between(20, 90)
    mean_hu = density_mg * draws.between(*_HU_PER_MG) - 15
    per_level = mean_hu + draws.normal(256) * draws.between(2, 18)
    for level in torch.unique(scene.levels).tolist():
        if draws.happens(0.07):
            per_level[level] += draws.between(-90, 350)
    core = per_level[scene.levels]
    core = core + draws.field(core.shape, draws.between(1.2, 2.5)) * draws.between(8, 60)
    core = core + draws.field(core.shape, 4) * draws.between(3, 30)
    dense = (
        (scene.classes == Tissue.POSTERIOR)
        | (scene.classes == Tissue.RIB)
        | (scene.classes == Tissue.OTHER_BONE)
    )
    added = draws.between(20, 260) + draws.field(core.shape, 3) * draws.between(10, 80)
    core = torch.where(dense, core + added, core)
    core = torch.where(scene.classes == Tissue.SACRUM, core - draws.between(-20, 50), core)
    if draws.happens(0.12):
        lesion = draws.field(core.shape, draws.between(4, 8)) > draws.between(1.3, 2.2)
        change = draws.between(150, 700) if draws.happens(0.5) else -draws.between(60, 200)
        core = torch.where(lesion, core + change, core)
    return core


def _cortex_mm(scene: Scene, draws: Draws) -> Tensor:
    thickness = draws.between(0.4, 1.6) * (1 + 0.35 * draws.field(scene.distance_mm.shape, 5))
    return thickness.clamp(0.2, 3.0)


def _cortex_hu(scene: Scene, draws: Draws) -> Tensor:
    added = draws.between(150, 1000) * (1 + 0.25 * draws.field(scene.distance_mm.shape, 6))
    added = added.clamp(min=40.0)
    return torch.where(scene.classes == Tissue.BODY, added * draws.between(0.45, 1.0), added)
