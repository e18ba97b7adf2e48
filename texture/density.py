"""Attenuation of the trabecular core of a body, and bone density of the spine.

The core is what is left of the body mask after everything closer to its surface than the
erosion depth is taken away (cortex, endplates and their partial volume), after the region
around the basivertebral foramen is cut out of the posterior half, and without foreign material.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from inference.anatomy import VertebraLevel
from texture.calibration import GENERIC_CALIBRATION, Calibration
from texture.report import HUStatistics, SpineDensity

__all__ = [
    "GENERIC_CALIBRATION",
    "BodyFrame",
    "Calibration",
    "TrabecularCore",
    "bmd_class",
    "spine_density",
    "trabecular_core",
]

EROSION_DEPTHS_MM = (4.0, 3.0, 2.0)
"""Tried in turn until the core is large enough; the depth used is reported with the value."""

MINIMUM_CORE_ML = 0.5
"""A smaller core says more about noise and partial volume than about bone."""

FOREIGN_MATERIAL_HU = 1500.0
"""Cement, metal and their cores; the densest sclerosis stays below."""

BASIVERTEBRAL_DEPTH = 0.4
"""Part of the anteroposterior extent, from the back, that the foramen can reach into."""

BASIVERTEBRAL_BREADTH = 1.0 / 3.0
"""Middle part of width and height that the foramen takes."""

OSTEOPOROSIS_BELOW = 80.0
NORMAL_ABOVE = 120.0
"""Classes of trabecular BMD in mg/cm3 (ACR practice parameter for QCT)."""

REFERENCE_LEVELS = (VertebraLevel.L1, VertebraLevel.L2, VertebraLevel.L3)


@dataclass(frozen=True)
class BodyFrame:
    """Anatomical directions of one body as unit vectors in LPS.

    `cranial` points to the head along the spine, `posterior` to the back at right angles to it,
    `lateral` completes them.
    """

    cranial: npt.NDArray[np.float64]
    posterior: npt.NDArray[np.float64]
    lateral: npt.NDArray[np.float64]

    @staticmethod
    def from_directions(
        cranial: npt.NDArray[np.float64], posterior: npt.NDArray[np.float64]
    ) -> BodyFrame:
        """Frame of two directions that need not be of unit length nor at right angles."""
        up = cranial / np.linalg.norm(cranial)
        back = posterior - (posterior @ up) * up
        back = back / np.linalg.norm(back)
        return BodyFrame(up, back, np.cross(back, up))


@dataclass(frozen=True)
class TrabecularCore:
    """Voxels of the core, (k, j, i) bool on the grid of the body mask, and the depth used."""

    mask: npt.NDArray[np.bool_]
    erosion_mm: float


def trabecular_core(
    hu: npt.NDArray[np.int16],
    body: npt.NDArray[np.bool_],
    affine_lps: npt.NDArray[np.float64],
    frame: BodyFrame,
) -> TrabecularCore | None:
    """The trabecular core of one body, or None if no depth leaves `MINIMUM_CORE_ML`.

    Parameters
    ----------
    hu, body
        (k, j, i), a crop around the body.
    affine_lps
        4x4, index of the crop to LPS mm.
    """
    spacing = np.linalg.norm(affine_lps[:3, :3], axis=0)
    depth = _depth_mm(body, spacing)
    allowed = body & ~_basivertebral(body, affine_lps, frame) & (hu < FOREIGN_MATERIAL_HU)
    minimum_voxels = MINIMUM_CORE_ML * 1000 / float(np.prod(spacing))
    for erosion_mm in EROSION_DEPTHS_MM:
        core = allowed & (depth >= erosion_mm)
        if np.count_nonzero(core) >= minimum_voxels:
            return TrabecularCore(core, erosion_mm)
    return None


def _depth_mm(
    body: npt.NDArray[np.bool_], spacing: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """How deep below the body's surface the nearest edge of each voxel lies.

    The distance to the nearest voxel centre outside is a whole voxel more: of 5 mm slices the first
    one would count as 5 mm deep, and it holds the endplate.
    """
    padded = np.pad(body, 1)
    distance, nearest = ndimage.distance_transform_edt(
        padded, sampling=spacing, return_indices=True
    )
    step = (nearest - np.indices(padded.shape)) * spacing[:, None, None, None]
    extent = np.abs(step * spacing[:, None, None, None]).sum(axis=0)
    voxel_mm = np.divide(extent, distance, out=np.zeros_like(distance), where=distance > 0)
    return np.asarray((distance - voxel_mm)[1:-1, 1:-1, 1:-1])


def hu_statistics(values: npt.NDArray[np.generic]) -> HUStatistics:
    """Mean, median and population SD in HU."""
    hu = values.astype(np.float64)
    return HUStatistics(float(hu.mean()), float(np.median(hu)), float(hu.std()))


def bmd_class(bmd_mg_cm3: float) -> str:
    """``osteoporosis`` below 80, ``osteopenia`` to 120, ``normal`` above, in mg/cm3."""
    if bmd_mg_cm3 < OSTEOPOROSIS_BELOW:
        return "osteoporosis"
    return "osteopenia" if bmd_mg_cm3 <= NORMAL_ABOVE else "normal"


def spine_density(
    densities: Sequence[tuple[VertebraLevel, float]],
    calibration: str,
    contrast_phase: str | None,
) -> SpineDensity:
    """Mean of L1-L3, or of all levels given where none of L1-L3 is there.

    `densities` holds what may enter the mean: measured and not fractured.
    """
    reference = [pair for pair in densities if pair[0] in REFERENCE_LEVELS]
    used = sorted(reference or densities, key=lambda pair: pair[0].rank)
    levels = tuple(level for level, _ in used)
    if not used:
        return SpineDensity(None, (), None, calibration, contrast_phase)
    mean = float(np.mean([value for _, value in used]))
    return SpineDensity(mean, levels, bmd_class(mean), calibration, contrast_phase)


def _basivertebral(
    body: npt.NDArray[np.bool_], affine_lps: npt.NDArray[np.float64], frame: BodyFrame
) -> npt.NDArray[np.bool_]:
    """Posterior middle of the body, where the basivertebral vein leaves it."""
    index = np.argwhere(body)
    lps = index @ affine_lps[:3, :3].T
    back, side, up = (
        _position(lps @ axis) for axis in (frame.posterior, frame.lateral, frame.cranial)
    )
    margin = (1.0 - BASIVERTEBRAL_BREADTH) / 2.0
    inside = (
        (back > 1.0 - BASIVERTEBRAL_DEPTH)
        & (np.abs(side - 0.5) < 0.5 - margin)
        & (np.abs(up - 0.5) < 0.5 - margin)
    )
    region = np.zeros_like(body)
    region[tuple(index[inside].T)] = True
    return region


def _position(along: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Position between the body's 2nd and 98th percentile along one axis, as 0 to 1."""
    low, high = np.percentile(along, (2.0, 98.0))
    return np.asarray((along - low) / max(high - low, 1e-9))
