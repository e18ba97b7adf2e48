"""Cuts random, deformed patches of anatomy out of label sources."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from inference.networks import OFFSET_UNIT_MM, Tissue
from inference.training.label_source import (
    AIR,
    CANAL,
    DISC_TISSUE,
    DISTANCE_UNIT_MM,
    FAT,
    MUSCLE,
    LabelSource,
    UInt8,
    level_positions,
)
from inference.training.surroundings import neck_and_trunk, torso_coordinates
from inference.training.warp import (
    GRID_MM,
    Field,
    Pose,
    Shape,
    collapse_mm,
    elastic_mm,
    patch_grid_mm,
    random_collapse,
    random_pose,
    smooth_noise,
)

FAR_MM = 12.7
_NEAR_SPINE_PROBABILITY = 0.5
_OTHER_BONE_PROBABILITY = 0.28
_OTHER_BONE_TRIES = 600
"""Hips, femurs and shoulders are what the network most often takes for vertebrae."""

_COLLAPSE_PROBABILITY = 0.25
_BODY_TO_PITCH = 0.72
"""Share of the distance between neighbouring centres that is bone, the rest being disc."""


@dataclass(frozen=True)
class LabelGeometry:
    """Anatomy of one patch, ``[R+, A+, S+]``.

    Attributes
    ----------
    classes
        uint8, `Tissue`.
    levels
        uint8, VerSe labels of body and posterior voxels.
    bone_distance_mm
        float32, signed distance to the nearest bone surface, negative inside.
    surroundings
        uint8 tissue ids of `inference.training.label_source`.
    offsets
        float32 (3, x, y, z), vector to the own body's centre in units of 20 mm; 0 outside.
    level_values
        float32, position along the spine (C1 = 1 ... L5 = 24), 0 outside.
    """

    classes: UInt8
    levels: UInt8
    bone_distance_mm: npt.NDArray[np.float32]
    surroundings: UInt8
    offsets: npt.NDArray[np.float32]
    level_values: npt.NDArray[np.float32]
    voxel_mm: float = GRID_MM


def random_geometry(
    source: LabelSource,
    torso: LabelSource | None,
    shape: Shape,
    rng: np.random.Generator,
    voxel_mm: float = GRID_MM,
) -> LabelGeometry:
    """Draw one patch of a source.

    Parameters
    ----------
    source
        The anatomy.
    torso
        Lends ribs, organs and skin to a source that has none; None leaves it plain tissue.
    shape
        Voxels of the patch.
    """
    centre_mm, label = _random_centre(source, rng)
    pose = random_pose(rng, centre_mm)
    grid = patch_grid_mm(shape, voxel_mm)
    moved = grid + elastic_mm(rng, shape, voxel_mm)
    if label is not None and rng.random() < _COLLAPSE_PROBABILITY:
        moved[..., 2] += _fracture(source, pose, label, grid, rng)
    points_mm = moved.astype(np.float64) @ pose.matrix.T + pose.centre_mm
    layers = _sampled(source, torso, points_mm, rng)
    levels = layers.levels
    return LabelGeometry(
        layers.classes,
        levels,
        layers.bone_distance_mm,
        layers.surroundings,
        _offsets(source, pose, levels, grid),
        level_positions()[levels],
        voxel_mm,
    )


def _random_centre(
    source: LabelSource, rng: np.random.Generator
) -> tuple[npt.NDArray[np.float64], int | None]:
    """Centre in mm, and the label it lies near: at the spine, in other bone, or anywhere."""
    chance = rng.random()
    if source.centres and (chance < _NEAR_SPINE_PROBABILITY or source.surroundings is None):
        label = int(rng.choice(sorted(source.centres)))
        spread = rng.normal(0.0, (16.0, 18.0, 26.0))
        return source.centres[label] * source.spacing_mm + spread, label
    shape = np.array(source.classes.shape)
    if chance < _NEAR_SPINE_PROBABILITY + _OTHER_BONE_PROBABILITY:
        drawn = rng.integers(0, shape, (_OTHER_BONE_TRIES, 3))
        bone = np.flatnonzero(source.classes[tuple(drawn.T)] == Tissue.OTHER_BONE)
        if bone.size:
            return drawn[bone[0]] * source.spacing_mm, None
    return rng.uniform(0.08, 0.92, 3) * shape * source.spacing_mm, None


def _fracture(
    source: LabelSource, pose: Pose, label: int, grid: Field, rng: np.random.Generator
) -> Field:
    neighbours = [n for n in (label - 1, label + 1) if n in source.centres]
    if not neighbours:
        return np.zeros(grid.shape[:3], dtype=np.float32)
    own = pose.to_patch_mm(source.centres[label] * source.spacing_mm)
    other = pose.to_patch_mm(source.centres[neighbours[0]] * source.spacing_mm)
    height = _BODY_TO_PITCH * float(np.linalg.norm(own - other))
    return collapse_mm(grid, random_collapse(rng, own, height))


@dataclass(frozen=True)
class _Tissues:
    """What lies at the points of a patch; fields as in `LabelGeometry`."""

    classes: UInt8
    levels: UInt8
    bone_distance_mm: npt.NDArray[np.float32]
    surroundings: UInt8


def _sampled(
    source: LabelSource,
    torso: LabelSource | None,
    points_mm: npt.NDArray[np.float64],
    rng: np.random.Generator,
) -> _Tissues:
    index = np.moveaxis(points_mm / source.spacing_mm, -1, 0)
    classes = nearest(source.classes, index)
    levels = nearest(source.levels, index)
    spine = distance_mm(source.spine_distance, index)
    rest = distance_mm(source.rest_distance, index)
    if source.surroundings is not None and source.skin_distance is not None:
        tissue = nearest(source.surroundings, index)
        skin = _linear(source.skin_distance, index, 127.0)
    else:
        tissue, skin = neck_and_trunk(source, points_mm, rng)
        if torso is not None:
            lent = np.moveaxis(
                torso_coordinates(source, torso, points_mm) / torso.spacing_mm, -1, 0
            )
            classes, rest, tissue, skin = _dressed(torso, lent, (classes, rest, tissue, skin))
    bone = np.minimum(spine, rest)
    classes = _consistent(classes, levels, spine, rest)
    levels = np.where((classes == Tissue.BODY) | (classes == Tissue.POSTERIOR), levels, 0)
    levels = levels.astype(np.uint8)
    tissue = _filled(tissue, skin, bone, rng)
    tissue[classes == Tissue.DISC] = DISC_TISSUE
    return _Tissues(classes, levels, bone, tissue)


Layers = tuple[UInt8, npt.NDArray[np.float32], UInt8, npt.NDArray[np.float32]]


def _dressed(torso: LabelSource, index: npt.NDArray[np.float64], own: Layers) -> Layers:
    classes, rest, tissue, skin = own
    if torso.surroundings is None or torso.skin_distance is None:
        return own
    lent_classes = nearest(torso.classes, index)
    lent_classes[np.isin(lent_classes, (Tissue.BODY, Tissue.POSTERIOR, Tissue.DISC))] = 0
    own_sacrum = bool((classes == Tissue.SACRUM).any())
    if own_sacrum:
        lent_classes[lent_classes == Tissue.SACRUM] = 0
    lent_rest = distance_mm(torso.rest_distance, index)
    lent_rest[(lent_rest < 0) & (lent_classes == 0)] = FAR_MM
    inside = np.ones(index.shape[1:], dtype=bool)
    for axis, size in enumerate(torso.classes.shape):
        inside &= (index[axis] >= 0) & (index[axis] <= size - 1)
    free = (classes == 0) & inside & (lent_rest < 0)
    classes = np.where(free, lent_classes, classes)
    tissue = np.where(inside, nearest(torso.surroundings, index), tissue)
    skin = np.where(inside, _linear(torso.skin_distance, index, 127.0), skin)
    merged = np.where(inside, np.minimum(rest, lent_rest), rest).astype(np.float32)
    return classes, merged, tissue, skin.astype(np.float32)


def _consistent(
    classes: UInt8,
    levels: UInt8,
    spine: npt.NDArray[np.float32],
    rest: npt.NDArray[np.float32],
) -> UInt8:
    vertebra = (levels > 0) & (spine < 0)
    other = (
        ((classes == Tissue.SACRUM) | (classes == Tissue.RIB) | (classes == Tissue.OTHER_BONE))
        & (rest < 0)
        & ~vertebra
    )
    disc = (classes == Tissue.DISC) & (spine >= 0) & (rest >= 0)
    kept: UInt8 = np.where(vertebra | other | disc, classes, 0).astype(np.uint8)
    return kept


def _filled(
    tissue: UInt8,
    skin: npt.NDArray[np.float32],
    bone: npt.NDArray[np.float32],
    rng: np.random.Generator,
) -> UInt8:
    """Give unnamed voxels under the skin fat and muscle in a random mixture."""
    shape: Shape = (tissue.shape[0], tissue.shape[1], tissue.shape[2])
    mixture = smooth_noise(rng, shape, 6) + smooth_noise(rng, shape, 14)
    fat_mm = rng.uniform(3.0, 28.0)
    filled = tissue.copy()
    unnamed = (tissue == AIR) & (skin < fat_mm)
    filled[unnamed] = FAT
    filled[unnamed & (mixture > rng.uniform(-0.6, 1.6)) & (skin < -2.0)] = MUSCLE
    filled[(filled == FAT) & (bone < 7.0) & (mixture > -0.3)] = MUSCLE
    filled[(filled == MUSCLE) & (mixture > rng.uniform(1.0, 3.0))] = FAT
    filled[(bone < 0) & (filled == AIR)] = MUSCLE
    filled[(bone < 0) & (filled == CANAL)] = MUSCLE
    return filled


def _offsets(
    source: LabelSource, pose: Pose, levels: UInt8, grid: Field
) -> npt.NDArray[np.float32]:
    table = np.zeros((256, 3), dtype=np.float32)
    for label, centre in source.centres.items():
        table[label] = pose.to_patch_mm(centre * source.spacing_mm)
    vectors = table[levels] - grid
    vectors[levels == 0] = 0.0
    return np.ascontiguousarray(np.moveaxis(vectors / np.float32(OFFSET_UNIT_MM), -1, 0))


def nearest(labels: UInt8, index: npt.NDArray[np.float64]) -> UInt8:
    """Labels at fractional indices (3, x, y, z); 0 outside."""
    found: UInt8 = ndimage.map_coordinates(labels, index, order=0, mode="constant", cval=0)
    return found


def distance_mm(
    distance: npt.NDArray[np.int8], index: npt.NDArray[np.float64]
) -> npt.NDArray[np.float32]:
    """Distance in mm at fractional indices; far away outside."""
    return _linear(distance, index, FAR_MM / DISTANCE_UNIT_MM) * np.float32(DISTANCE_UNIT_MM)


def _linear(
    values: npt.NDArray[np.int8], index: npt.NDArray[np.float64], outside: float
) -> npt.NDArray[np.float32]:
    found: npt.NDArray[np.float32] = ndimage.map_coordinates(
        values, index, output=np.float32, order=1, mode="constant", cval=outside
    )
    return found
