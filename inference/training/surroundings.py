"""Soft tissue for spines that came without any: a plain body, or another patient's torso.

A vertebra map is dressed in a torso by level: the point beside the L2 of one is looked up beside
the L2 of the other, so ribs meet the right vertebrae and the sacrum follows L5.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from inference.training.label_source import (
    ARTERY,
    CANAL,
    FAT,
    FIRST_ORGAN,
    LUNG,
    MUSCLE,
    LabelSource,
    UInt8,
    level_position,
)
from inference.training.warp import Shape, smooth_noise

Points = npt.NDArray[np.float64]

_NECK_UNTIL_LEVEL = 8.5
_LUNG_LEVELS = (8.5, 19.0)


def _column(source: LabelSource) -> tuple[Points, Points]:
    """Level positions and centres in mm, ordered from foot to head."""
    labels = sorted(source.centres, key=lambda label: source.centres[label][2])
    levels = np.array([level_position(label) for label in labels])
    centres = np.array([source.centres[label] for label in labels]) * source.spacing_mm
    return levels, centres


def _along_column(source: LabelSource, height_mm: Points) -> tuple[Points, Points]:
    """Level and column position at given heights; beyond its ends the column goes straight on."""
    levels, centres = _column(source)
    level = np.interp(height_mm, centres[:, 2], levels)
    x = np.interp(height_mm, centres[:, 2], centres[:, 0])
    y = np.interp(height_mm, centres[:, 2], centres[:, 1])
    z = np.clip(height_mm, centres[0, 2], centres[-1, 2])
    return level, np.stack([x, y, z], axis=-1)


def torso_coordinates(source: LabelSource, torso: LabelSource, points_mm: Points) -> Points:
    """Points (..., 3) of the torso, in mm, that lie beside its column as `points_mm` do here."""
    level, own = _along_column(source, points_mm[..., 2])
    levels, centres = _column(torso)
    order = np.argsort(levels)
    theirs = np.stack(
        [np.interp(level, levels[order], centres[order, axis]) for axis in range(3)], axis=-1
    )
    beyond = np.maximum(levels[order][0] - level, 0.0)
    theirs[..., 2] += beyond * _pitch_mm(centres)
    moved: Points = theirs + (points_mm - own)
    return moved


def _pitch_mm(centres: Points) -> float:
    return float(np.linalg.norm(np.diff(centres, axis=0), axis=1).mean())


def neck_and_trunk(
    source: LabelSource, points_mm: Points, rng: np.random.Generator
) -> tuple[UInt8, npt.NDArray[np.float32]]:
    """Plain tissue around a column: skin, muscle, organs, lungs, an artery and the cord.

    Returns
    -------
    tissues
        uint8 ids.
    skin_distance
        float32, mm, negative under the skin.
    """
    level, own = _along_column(source, points_mm[..., 2])
    beside = (points_mm - own).astype(np.float32)
    x, y = beside[..., 0], beside[..., 1]
    shape: Shape = (x.shape[0], x.shape[1], x.shape[2])
    neck = 1.0 / (1.0 + np.exp(np.clip((level - _NECK_UNTIL_LEVEL) * 2.0, -30, 30)))
    half_width = neck * rng.uniform(55, 75) + (1 - neck) * rng.uniform(115, 200)
    half_depth = neck * rng.uniform(50, 70) + (1 - neck) * rng.uniform(80, 140)
    back = neck * rng.uniform(38, 60) + (1 - neck) * rng.uniform(60, 100)
    front = (y - (half_depth - back)) / half_depth
    skin = (np.sqrt((x / half_width) ** 2 + front**2) - 1) * half_depth
    skin = skin + 6.0 * smooth_noise(rng, shape, 24)
    fat_mm = rng.uniform(4, 30) * (1 - 0.6 * neck)
    tissue = np.zeros(shape, dtype=np.uint8)
    tissue[skin < 0] = FAT
    tissue[skin < -3 - fat_mm] = MUSCLE
    _add_organs(tissue, skin, (x, y), (level, neck), rng)
    return tissue, skin.astype(np.float32)


def _add_organs(
    tissue: UInt8,
    skin: Points,
    beside: tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]],
    place: tuple[Points, Points],
    rng: np.random.Generator,
) -> None:
    x, y = beside
    level, neck = place
    shape: Shape = (x.shape[0], x.shape[1], x.shape[2])
    organ = np.digitize(smooth_noise(rng, shape, 9), np.linspace(-1.6, 1.6, 9)).astype(np.uint8)
    organ += np.uint8(10) * (smooth_noise(rng, shape, 12) > 0).astype(np.uint8)
    cavity = (skin < -20) & (y > 14 + 5 * smooth_noise(rng, shape, 12))
    tissue[cavity] = (FIRST_ORGAN + organ)[cavity]
    lungs = (level > _LUNG_LEVELS[0]) & (level < _LUNG_LEVELS[1]) & (skin < -18)
    lungs &= np.abs(x) > np.clip(14 + 0.25 * y, 14, 60) + 5 * smooth_noise(rng, shape, 14)
    if rng.random() < 0.8:
        tissue[lungs & (y > -35)] = LUNG
    airway = (np.hypot(x, y - rng.uniform(28, 38)) < rng.uniform(6, 10)) & (neck > 0.5)
    tissue[airway] = LUNG
    artery_x = rng.uniform(-20, 8)
    artery = np.hypot(x - artery_x, y - rng.uniform(26, 36)) + 3 * smooth_noise(rng, shape, 16)
    tissue[(artery < rng.uniform(7, 14)) & (neck < 0.5)] = ARTERY
    tissue[np.hypot(x, y + 22) < 7] = CANAL
