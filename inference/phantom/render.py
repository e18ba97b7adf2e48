"""HU of a phantom: surfaces with partial volume, trabecular texture, table, noise.

Every slice is the mean of sub-slices no further apart than `SUBSLICE_MM`; in each of them a
surface crossing a voxel counts with the share of the voxel behind it, so that heights can be
measured below the voxel size and thick slices blur as they do on a scanner.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from inference.phantom import materials
from inference.phantom.anatomy import SpineAnatomy
from inference.phantom.bones import BoneFields, bone_fields
from inference.phantom.geometry import label_maps
from inference.phantom.grid import Grid
from inference.phantom.marker import MARKER_RADIUS_MM, marker_center_lps_mm
from inference.phantom.noise import scanner_noise, trabecular_texture
from inference.phantom.shapes import Field, Vector
from inference.phantom.spec import PhantomSpec
from inference.phantom.table import table_hu
from inference.phantom.torso import torso_tissue
from inference.volume import Affine, HUArray, LabelArray

SUBSLICE_MM = 0.8
CHUNK_VOXELS = 4_000_000
"""Voxels of sub-slices rendered at once, to bound the memory."""
POINT_SPREAD_MM = 0.45
"""Standard deviation of the in-plane blur of a soft reconstruction kernel."""
HU_RANGE = (-1024, 3071)
MOTTLE_HU = 4.0
"""Unevenness of soft tissue."""
_TRABECULAR_STEP_MM = 0.8
_CORTEX_STEP_MM = 2.6

Index = tuple[npt.NDArray[np.intp], ...]
Progress = Callable[[int, int], None]
"""Called with the slices done so far and their number."""


@dataclass(frozen=True)
class RenderedPhantom:
    """HU and exact labels on one grid, arrays (k, j, i)."""

    hu: HUArray
    labels: LabelArray
    bodies: LabelArray


@dataclass(frozen=True)
class _Scene:
    anatomy: SpineAnatomy
    spec: PhantomSpec
    texture: Field
    marker: Vector | None


def silent(done: int, total: int) -> None:
    """Report no progress."""


def render(
    spec: PhantomSpec,
    anatomy: SpineAnatomy,
    affine_lps: Affine,
    shape_kji: tuple[int, int, int],
    progress: Progress = silent,
) -> RenderedPhantom:
    """Render `anatomy` on a grid; the noise depends on the spec's seed and the grid alone.

    `progress` is called with the slices done and their number.
    """
    rng = np.random.default_rng([spec.seed, 1])
    marker = marker_center_lps_mm(anatomy, affine_lps, shape_kji) if spec.left_marker else None
    scene = _Scene(anatomy, spec, trabecular_texture(rng), marker)
    hu = np.empty(shape_kji, np.int16)
    labels, bodies = np.empty(shape_kji, np.uint8), np.empty(shape_kji, np.uint8)
    whole = Grid(affine_lps, shape_kji)
    chunk = max(1, CHUNK_VOXELS // (shape_kji[1] * shape_kji[2] * _subslices(whole)))
    for first in range(0, shape_kji[0], chunk):
        part = slice(first, min(first + chunk, shape_kji[0]))
        start = affine_lps.copy()
        start[:3, 3] += affine_lps[:3, 0] * first
        grid = Grid(start, (part.stop - first, shape_kji[1], shape_kji[2]))
        values, labels[part], bodies[part] = _slices(scene, grid)
        values = _blurred(values, grid)
        values += scanner_noise(rng, grid.shape_kji, spec.noise_hu, _spacing(grid)[1:])
        hu[part] = np.clip(np.rint(values), *HU_RANGE).astype(np.int16)
        progress(part.stop, shape_kji[0])
    return RenderedPhantom(hu, labels, bodies)


def _spacing(grid: Grid) -> tuple[float, float, float]:
    k, j, i = np.linalg.norm(grid.affine_lps[:3, :3], axis=0)
    return float(k), float(j), float(i)


def _subslices(grid: Grid) -> int:
    """Sub-slices of one slice; odd, so that one of them is the slice's own plane."""
    count = max(1, ceil(_spacing(grid)[0] / SUBSLICE_MM - 1e-6))
    return count + 1 - count % 2


def _subdivided(grid: Grid) -> Grid:
    count = _subslices(grid)
    affine = grid.affine_lps.copy()
    step = affine[:3, 0] / count
    affine[:3, 3] -= step * (count - 1) / 2
    affine[:3, 0] = step
    k, j, i = grid.shape_kji
    return Grid(affine, (k * count, j, i))


def _slices(scene: _Scene, grid: Grid) -> tuple[Field, LabelArray, LabelArray]:
    """HU without noise, each slice the mean of its sub-slices, and the labels of its own plane."""
    tissue = torso_tissue(scene.anatomy, grid)
    soft = materials.soft_tissue_table()[tissue] + _mottle(grid)
    soft = np.where(tissue == 0, table_hu(scene.anatomy, grid), soft)
    fine, count = _subdivided(grid), _subslices(grid)
    hu = np.repeat(soft, count, axis=0)
    fields = bone_fields(scene.anatomy, fine)
    width = float(np.mean(_spacing(fine)))
    _fill(hu, fields.disc, width, materials.DISC_HU)
    _fill(hu, fields.canal, width, materials.CANAL_HU)
    _fill(hu, fields.canal + np.float32(3.2), width, materials.CORD_HU)
    _fill_bone(hu, fields, scene, (fine, width))
    if scene.marker is not None:
        whole = tuple(slice(0, n) for n in fine.shape_kji)
        points = fine.local_points((whole[0], whole[1], whole[2]), np.eye(3), scene.marker)
        radius = np.sqrt(points[0] ** 2 + points[1] ** 2 + points[2] ** 2)
        _fill(hu, np.broadcast_to(radius - MARKER_RADIUS_MM, hu.shape), width, materials.METAL_HU)
    k, j, i = grid.shape_kji
    labels, bodies = label_maps(fields)
    own = slice(count // 2, None, count)
    mean = np.asarray(hu.reshape(k, count, j, i).mean(axis=1), np.float32)
    return mean, labels[own], bodies[own]


def _mottle(grid: Grid) -> Field:
    """Gentle unevenness of soft tissue, a function of the place in the patient."""
    k, j, i = (slice(0, n) for n in grid.shape_kji)
    x, y, z = grid.local_points((k, j, i), np.eye(3), np.zeros(3))
    waves = np.sin(x / 3.7 + np.sin(z / 7)) * np.sin(y / 4.1 + 1.7 * np.sin(x / 11))
    return np.asarray(MOTTLE_HU * waves * np.cos(z / 5.3 + y / 23), np.float32)


def _covered(distance: Field, width: float) -> Field:
    """Share of a voxel of size `width` that lies behind a surface at `distance`."""
    share: Field = np.clip(np.float32(0.5) - distance * np.float32(1 / width), 0, 1)
    return share


def _fill(hu: Field, distance: Field, width: float, value: float) -> None:
    near = distance < width / 2
    share = _covered(distance[near], width)
    hu[near] += share * (np.float32(value) - hu[near])


def _fill_bone(hu: Field, fields: BoneFields, scene: _Scene, place: tuple[Grid, float]) -> None:
    grid, width = place
    bone = fields.bone
    near = np.nonzero(bone < width / 2)
    distance = bone[near]
    vertebra = fields.vertebra[near] <= distance
    body = vertebra & fields.in_body[near]
    arch = vertebra & ~body
    thickness = np.full(distance.shape, materials.OTHER_CORTEX_MM, np.float32)
    cortex = np.full(distance.shape, materials.OTHER_CORTEX_HU, np.float32)
    thickness[body], cortex[body] = materials.BODY_CORTEX_MM, materials.BODY_CORTEX_HU
    thickness[arch], cortex[arch] = materials.ARCH_CORTEX_MM, materials.ARCH_CORTEX_HU
    inner = np.full(distance.shape, materials.trabecular_hu(scene.spec.bmd_mg_cm3), np.float32)
    inner[arch] += materials.ARCH_EXTRA_HU
    inner += materials.TEXTURE_HU * _texture_at(scene.texture, grid, near, _TRABECULAR_STEP_MM)
    uneven = _texture_at(scene.texture, grid, near, _CORTEX_STEP_MM)
    thickness *= np.clip(1 + materials.CORTEX_SPREAD * uneven, 0.4, 1.8)
    outer_share = _covered(distance, width)
    inner_share = _covered(distance + thickness, width)
    shell = cortex * (outer_share - inner_share)
    hu[near] = hu[near] * (1 - outer_share) + shell + inner * inner_share


def _texture_at(texture: Field, grid: Grid, index: Index, step_mm: float) -> Field:
    """The texture tile at voxels, a function of the place in the patient."""
    matrix, origin = grid.affine_lps[:3, :3], grid.affine_lps[:3, 3]
    kji = np.stack(index).astype(np.float32)
    lps = matrix.astype(np.float32) @ kji + origin.astype(np.float32)[:, None]
    # tiles repeat; skewing them keeps the repeats from lining up in a slice
    lps[0] += np.float32(0.37) * lps[2]
    lps[1] += np.float32(0.23) * lps[0]
    sampled = ndimage.map_coordinates(
        texture, lps / step_mm, order=1, mode="grid-wrap", prefilter=False
    )
    return np.asarray(sampled, np.float32)


def _blurred(hu: Field, grid: Grid) -> Field:
    _, row, column = _spacing(grid)
    sigma = (0.0, POINT_SPREAD_MM / row, POINT_SPREAD_MM / column)
    return np.asarray(ndimage.gaussian_filter(hu, sigma, mode="nearest", truncate=3.0))
