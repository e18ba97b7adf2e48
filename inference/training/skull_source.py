"""Heads as hard negatives: a procedural skull with brain, face and air, and no vertebra.

Head CTs reach the node too; their thick curved bone beside air and soft tissue must not be taken
for vertebrae. The shapes are coarse on purpose: what counts is bone of every curvature that is
no spine.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from inference.networks import Tissue
from inference.training.label_source import (
    AIR,
    FAT,
    FIRST_ORGAN,
    MUSCLE,
    LabelSource,
    bone_groups,
    surface_distance,
)
from inference.training.warp import Shape, smooth_noise

SPACING_MM = 2.0
_SHAPE: Shape = (104, 120, 112)
_BRAIN = FIRST_ORGAN
_AIRWAY = FIRST_ORGAN + 1

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


def skull_source(seed: int) -> LabelSource:
    """Draw one head; equal seeds give equal heads."""
    rng = np.random.default_rng(seed)
    index = np.indices(_SHAPE).astype(np.float64)
    x, y, z = ((index[axis] - (size - 1) / 2) * SPACING_MM for axis, size in enumerate(_SHAPE))
    radii = rng.uniform((62, 78, 66), (76, 96, 80))
    inner = _vault((x, y, z - 15), radii, rng)
    thickness = rng.uniform(4, 8) + 1.5 * smooth_noise(rng, _SHAPE, 12)
    vault = (inner > 0) & (inner < thickness) & (z > -45)
    face = _face((x, y, z), radii, rng)
    bone = vault | (face & (inner > 0)) | _skull_base((x, y, z), inner, rng)
    classes = np.where(bone, Tissue.OTHER_BONE, 0).astype(np.uint8)
    skin = np.minimum(inner - thickness - rng.uniform(4, 9), _neck((x, y, z), rng))
    surroundings = _soft_parts((x, y, z), inner, skin, rng)
    return LabelSource(
        name=f"skull_{seed}",
        spacing_mm=SPACING_MM,
        classes=classes,
        levels=np.zeros(_SHAPE, dtype=np.uint8),
        spine_distance=np.full(_SHAPE, 127, dtype=np.int8),
        rest_distance=surface_distance(bone_groups(classes), SPACING_MM),
        surroundings=surroundings,
        skin_distance=np.clip(skin, -127, 127).astype(np.int8),
        centres={},
    )


Coordinates = tuple[Floats, Floats, Floats]


def _vault(point: Coordinates, radii: Floats, rng: np.random.Generator) -> Floats:
    """Distance in mm to the inner table, negative in the brain."""
    x, y, z = point
    a, b, c = radii
    distance: Floats = (np.sqrt((x / a) ** 2 + (y / b) ** 2 + (z / c) ** 2) - 1) * min(radii)
    return distance + 2.0 * smooth_noise(rng, _SHAPE, 16)


def _face(point: Coordinates, radii: Floats, rng: np.random.Generator) -> Bools:
    """Thin walls around sinuses, and jaws, in front below the brain."""
    x, y, z = point
    region = (y > 5) & (y < radii[1] + 8) & (z < -10) & (z > -95) & (np.abs(x) < 58)
    walls = np.abs(smooth_noise(rng, _SHAPE, 7)) < rng.uniform(0.08, 0.16)
    jaw = np.abs(np.hypot(x, (y - 20) * 0.8) - rng.uniform(42, 50)) < rng.uniform(4, 7)
    facial: Bools = region & (walls | (jaw & (z < -55)))
    return facial


def _skull_base(point: Coordinates, inner: Floats, rng: np.random.Generator) -> Bools:
    """Dense petrous ridges running outward and back, and the bone around the great hole."""
    x, y, z = point
    along = np.abs(x) * rng.uniform(0.4, 0.8)
    ridge = np.hypot(y - 8 + along, z + rng.uniform(30, 40)) < rng.uniform(9, 14)
    ring = np.abs(np.hypot(x, y + 25) - rng.uniform(16, 20)) < rng.uniform(4, 7)
    base: Bools = (ridge & (np.abs(x) < 62) & (inner < 6)) | (ring & (np.abs(z + 48) < 6))
    return base


def _neck(point: Coordinates, rng: np.random.Generator) -> Floats:
    x, y, z = point
    radius = rng.uniform(52, 68)
    column = np.sqrt(x**2 + (y - 5) ** 2) - radius
    distance: Floats = np.where(z < -30, column, 60.0)
    return distance


def _soft_parts(
    point: Coordinates, inner: Floats, skin: Floats, rng: np.random.Generator
) -> npt.NDArray[np.uint8]:
    x, y, z = point
    tissue = np.full(_SHAPE, AIR, dtype=np.uint8)
    tissue[skin < 0] = FAT
    tissue[skin < -4] = MUSCLE
    tissue[inner < 0] = _BRAIN
    pharynx = (np.hypot(x, y - rng.uniform(15, 30)) < rng.uniform(8, 14)) & (z < -30)
    tissue[pharynx & (skin < -6)] = _AIRWAY
    return tissue
