"""Random deformations: where in a source each voxel of a training patch is taken from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Field = npt.NDArray[np.float32]
Matrix = npt.NDArray[np.float64]
Shape = tuple[int, int, int]

GRID_MM = 2.0
"""Spacing of the first network's grid, and the unit of lengths in this package."""

_ROTATION_SD_DEGREES = (8.0, 6.0, 7.0)
_SCALE = (0.85, 1.15)
_STRETCH = (0.94, 1.06)
_BENDING_PROBABILITY = 0.25


@dataclass(frozen=True)
class Pose:
    """Affine part of a deformation: source mm = `matrix` @ patch mm + `centre_mm`."""

    matrix: Matrix
    centre_mm: Matrix

    def to_patch_mm(self, point_mm: npt.ArrayLike) -> Matrix:
        """Patch coordinates (..., 3) of source points (..., 3), without the elastic part."""
        moved = np.asarray(point_mm, dtype=np.float64) - self.centre_mm
        return moved @ np.linalg.inv(self.matrix).T


def random_pose(rng: np.random.Generator, centre_mm: npt.ArrayLike) -> Pose:
    """Draw rotation, size and stretch around a point of the source."""
    rotation = rotation_matrix(rng.normal(0.0, _ROTATION_SD_DEGREES))
    stretch = np.diag(rng.uniform(*_STRETCH, 3))
    matrix = rng.uniform(*_SCALE) * rotation @ stretch
    return Pose(matrix, np.asarray(centre_mm, dtype=np.float64))


def rotation_matrix(degrees: npt.ArrayLike) -> Matrix:
    """Rotation about R, A and S by three angles."""
    a, b, c = np.radians(np.asarray(degrees, dtype=np.float64))
    about_r = np.array([[1, 0, 0], [0, np.cos(a), np.sin(a)], [0, -np.sin(a), np.cos(a)]])
    about_a = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    about_s = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    turned: Matrix = about_s @ about_a @ about_r
    return turned


def patch_grid_mm(shape: Shape, voxel_mm: float = GRID_MM) -> Field:
    """Coordinates (x, y, z, 3) in mm of a patch's voxels, relative to its middle."""
    axes = [(np.arange(n, dtype=np.float32) - (n - 1) / 2) * np.float32(voxel_mm) for n in shape]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)


def smooth_noise(rng: np.random.Generator, shape: Shape, step: float) -> Field:
    """Gaussian noise drawn every `step` voxels and interpolated between."""
    coarse = [max(2, int(np.ceil(n / step)) + 1) for n in shape]
    drawn = rng.standard_normal(coarse).astype(np.float32)
    factors = [n / m for n, m in zip(shape, coarse, strict=True)]
    field: Field = ndimage.zoom(drawn, factors, order=1, mode="nearest", grid_mode=True)
    return field


def elastic_mm(rng: np.random.Generator, shape: Shape, voxel_mm: float = GRID_MM) -> Field:
    """Draw a small displacement field (x, y, z, 3) in mm, fine and coarse together."""
    fine, coarse = rng.uniform(0.1, 0.7), rng.uniform(0.3, 2.2)
    near, far = 8 * GRID_MM / voxel_mm, 20 * GRID_MM / voxel_mm
    moved = np.stack(
        [
            fine * smooth_noise(rng, shape, near) + coarse * smooth_noise(rng, shape, far)
            for _ in range(3)
        ],
        axis=-1,
    )
    if rng.random() < _BENDING_PROBABILITY:
        moved[..., 0] += _sideways_bend_mm(rng, shape[2], voxel_mm)
    return moved


def _sideways_bend_mm(rng: np.random.Generator, slices: int, voxel_mm: float) -> Field:
    height_mm = (np.arange(slices, dtype=np.float32) - (slices - 1) / 2) * voxel_mm
    amplitude = float(rng.uniform(3.0, 14.0))
    wave_mm = float(rng.uniform(140.0, 320.0))
    bend: Field = amplitude * np.sin(2 * np.pi * height_mm / wave_mm + rng.uniform(0, 2 * np.pi))
    return bend.astype(np.float32)


@dataclass(frozen=True)
class Collapse:
    """A vertebral fracture: the body at `centre_mm` loses `loss` of its `height_mm`.

    `kind` is ``wedge``, ``biconcave`` or ``crush``.
    """

    centre_mm: Matrix
    height_mm: float
    radius_mm: float
    loss: float
    kind: str


def random_collapse(rng: np.random.Generator, centre_mm: Matrix, height_mm: float) -> Collapse:
    """Draw a fracture of grade 1 to 3 for one body."""
    kind = str(rng.choice(["wedge", "biconcave", "crush"], p=[0.5, 0.25, 0.25]))
    return Collapse(
        centre_mm=centre_mm,
        height_mm=height_mm,
        radius_mm=0.62 * height_mm + 4.0,
        loss=float(rng.uniform(0.18, 0.6)),
        kind=kind,
    )


def collapse_mm(grid_mm: Field, collapse: Collapse) -> Field:
    """Displacement (x, y, z) in mm along S that compresses the body and closes the gap above.

    The posterior elements keep their height: the loss fades out at the back wall.
    """
    x, y, z = (grid_mm[..., axis] - collapse.centre_mm[axis] for axis in range(3))
    front = y / collapse.radius_mm
    if collapse.kind == "wedge":
        profile = np.clip(0.5 + 0.5 * front, 0.0, 1.0)
    elif collapse.kind == "crush":
        profile = np.clip(1.6 + front * 1.2, 0.0, 1.0)
    else:
        profile = np.clip(1.0 - (x**2 + y**2) / collapse.radius_mm**2, 0.0, 1.0)
    lost = (collapse.loss * profile).astype(np.float32)
    remaining = np.maximum(collapse.height_mm * (1 - lost) / 2, 1.0)
    shift: Field = np.clip(z / remaining, -1.0, 1.0) * lost * collapse.height_mm / 2
    return shift.astype(np.float32)
