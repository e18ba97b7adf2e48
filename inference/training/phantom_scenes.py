"""Scenes as `spinenode phantom` draws them: any slice plane and thickness, exact truth at 1 mm.

`rendering` draws bones whose edge, sharpness and noise vary more than any scanner's; here is the
plain case, in which the edge lies where the truth says.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from torch import nn

from inference.anatomy import SACRUM_LABEL
from inference.axes import to_canonical
from inference.label_boxes import Box
from inference.phantom.anatomy import SpineAnatomy, random_options, sample_anatomy
from inference.phantom.bones import bone_fields
from inference.phantom.geometry import label_maps
from inference.phantom.grid import Grid
from inference.phantom.layout import scan_box
from inference.phantom.render import render
from inference.phantom.spec import ORIENTATIONS, PhantomSpec
from inference.preprocess import NetworkGrid, to_network_order
from inference.refinement import fine_hu, fine_positions
from inference.refiner import FINE_MM, FINER
from inference.training.fine_scenes import SCENE_SHAPE, FineScene, answered
from inference.training.label_source import UInt8
from inference.training.phantom_source import tissue_classes
from inference.volume import Affine, HUArray

_MARGIN_MM = 12.0
"""Scanned around a scene, so that thick slices reach beyond its ends."""

_JITTER_SD_MM = (8.0, 8.0, 15.0)
_BEHIND_BODY_MM = 18.0
"""By which the middle of a scene lies behind that of a body: the arch is to be in it."""

_IN_PLANE_MM = (0.5, 1.3)
_SLICE_MM = (0.7, 5.0)
_NOISE_HU = (3.0, 40.0)
_BMD_MG_CM3 = (30.0, 220.0)
_ACROSS = {"sagittal": 0, "coronal": 1, "axial": 2}
_SEEDS = 2**31


@dataclass(frozen=True)
class _Scan:
    """A phantom's series in canonical order, and the scene's place in it."""

    anatomy: SpineAnatomy
    hu: HUArray
    affine_lps: Affine
    grid: NetworkGrid

    def box(self) -> Box:
        """Middle of the 2 mm grid, as large as a scene."""
        return _middle(self.grid.shape)

    def fine_affine_lps(self) -> Affine:
        """Index of the scene's 1 mm voxels, in canonical order, to LPS mm."""
        corner, affine = np.ones(4), np.eye(4)
        for axis, side in enumerate(self.box()):
            corner[axis] = self.grid.to_source(axis, fine_positions(side)[0])
            affine[:3, axis] = (
                self.affine_lps[:3, axis] * FINE_MM / self.grid.source_spacing_mm[axis]
            )
        affine[:3, 3] = (self.affine_lps @ corner)[:3]
        return affine


def phantom_scene(network: nn.Module, seed: int, number: int) -> FineScene:
    """Draw, scan and show to the first network one piece of a procedural patient."""
    scan = _scan(np.random.default_rng([seed, number, 1]))
    hu = fine_hu(scan.hu, scan.grid, scan.box())
    affine = scan.fine_affine_lps()
    classes, levels = _truth(scan.anatomy, Grid(affine, (hu.shape[0], hu.shape[1], hu.shape[2])))
    centres = _centres(scan.anatomy, affine, levels)
    truth = to_network_order(classes), to_network_order(levels)
    return answered(network, to_network_order(hu), truth, centres)


def _scan(rng: np.random.Generator) -> _Scan:
    anatomy = sample_anatomy(rng, random_options(rng))
    spec = _random_spec(rng)
    around = anatomy.vertebrae[int(rng.integers(len(anatomy.vertebrae)))]
    middle = around.center_lps_mm + rng.normal(0.0, _JITTER_SD_MM)
    middle[1] += _BEHIND_BODY_MM
    half = np.array(SCENE_SHAPE) * FINE_MM / 2 + _MARGIN_MM
    affine, shape = scan_box(spec, middle - half, middle + half)
    hu, canonical, order = to_canonical(render(spec, anatomy, affine, shape).hu, affine)
    k, j, i = np.linalg.norm(canonical[:3, :3], axis=0)
    depth, rows, columns = hu.shape
    whole, spacing_mm = (depth, rows, columns), (float(k), float(j), float(i))
    return _Scan(anatomy, hu, canonical, NetworkGrid(order, whole, spacing_mm, (0, 0, 0), whole))


def _random_spec(rng: np.random.Generator) -> PhantomSpec:
    orientation = str(rng.choice(ORIENTATIONS))
    spacing_mm = [float(rng.uniform(*_IN_PLANE_MM))] * 3
    spacing_mm[_ACROSS[orientation]] = float(np.exp(rng.uniform(*np.log(_SLICE_MM))))
    x, y, z = spacing_mm
    return PhantomSpec(
        seed=int(rng.integers(_SEEDS)),
        orientation=orientation,
        spacing_xyz_mm=(x, y, z),
        noise_hu=float(rng.uniform(*_NOISE_HU)),
        bmd_mg_cm3=float(rng.uniform(*_BMD_MG_CM3)),
    )


def _middle(shape: tuple[int, int, int]) -> Box:
    sides = []
    for size, wanted in zip(shape, reversed(SCENE_SHAPE), strict=True):
        start = (size - wanted // FINER) // 2
        sides.append(slice(start, start + wanted // FINER))
    return sides[0], sides[1], sides[2]


def _truth(anatomy: SpineAnatomy, grid: Grid) -> tuple[UInt8, UInt8]:
    """Classes and levels of the patient on a grid."""
    fields = bone_fields(anatomy, grid)
    labels, bodies = label_maps(fields)
    levels = np.where(labels == SACRUM_LABEL, 0, labels).astype(np.uint8)
    return tissue_classes(fields, labels, bodies), levels


def _centres(
    anatomy: SpineAnatomy, affine_lps: Affine, levels: UInt8
) -> tuple[UInt8, npt.NDArray[np.float64]]:
    """Labels in view, and mm ``[R+, A+, S+]`` from the scene's middle to their bodies' centres."""
    shown = [v for v in anatomy.vertebrae if (levels == int(v.level)).any()]
    labels = np.array([int(v.level) for v in shown], dtype=np.uint8)
    to_index = np.linalg.inv(affine_lps)
    middle = (np.array(levels.shape) - 1) / 2
    centres = [to_index[:3, :3] @ v.center_lps_mm + to_index[:3, 3] - middle for v in shown]
    up, back, left = np.array(centres).reshape(-1, 3).T * FINE_MM
    return labels, np.stack([-left, -back, up], axis=1)
