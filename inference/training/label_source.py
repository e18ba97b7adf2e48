"""A label map prepared for deformation: classes, levels, distances to bone, surroundings.

Every source, whether a patient's label map or a procedural spine, is brought to this one form
once; patches are then cut out of it by `inference.training.geometry` at random.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from inference.networks import Tissue
from inference.training.stored_arrays import save_arrays

UInt8 = npt.NDArray[np.uint8]
Int8 = npt.NDArray[np.int8]
Floats = npt.NDArray[np.float64]

AIR, FAT, MUSCLE, LUNG, CANAL, DISC_TISSUE, ARTERY, VEIN, TABLE = range(9)
FIRST_ORGAN = 10
"""Tissue ids of the surroundings; from `FIRST_ORGAN` on each id is one organ."""

DISTANCE_UNIT_MM = 0.1
"""Distances are stored as int8 in this unit, clipped at ±12.7 mm."""

_BEYOND_LABELS_MM = 2.5

T13_POSITION = 19.5
_T13_LABEL = 28


@dataclass(frozen=True)
class LabelSource:
    """One anatomy on an isotropic grid ``[R+, A+, S+]``.

    Attributes
    ----------
    classes
        uint8, `Tissue` of every voxel.
    levels
        uint8, VerSe label of body and posterior voxels, 0 elsewhere.
    spine_distance, rest_distance
        int8, tenths of a mm to the surface of vertebrae and of all other bone, negative inside.
    surroundings
        uint8 tissue ids, or None where the map knows nothing but bone.
    skin_distance
        int8, mm to the skin, negative inside; None together with `surroundings`.
    centres
        VerSe label to the body's centre, as index along the three axes.
    """

    name: str
    spacing_mm: float
    classes: UInt8
    levels: UInt8
    spine_distance: Int8
    rest_distance: Int8
    surroundings: UInt8 | None
    skin_distance: Int8 | None
    centres: dict[int, Floats]

    def save(self, path: Path) -> None:
        """Write to a compressed file."""
        arrays = {
            name: getattr(self, name)
            for name in ("classes", "levels", "spine_distance", "rest_distance")
        }
        if self.surroundings is not None and self.skin_distance is not None:
            arrays |= {"surroundings": self.surroundings, "skin_distance": self.skin_distance}
        labels = sorted(self.centres)
        save_arrays(
            path,
            spacing_mm=np.float64(self.spacing_mm),
            centre_labels=np.array(labels, dtype=np.int64),
            centre_indices=np.array([self.centres[label] for label in labels]),
            **arrays,
        )

    @staticmethod
    def load(path: Path) -> LabelSource:
        """Read what `save` wrote; the source's name is the file's."""
        with np.load(path, allow_pickle=False) as stored:
            return LabelSource(
                name=path.stem,
                spacing_mm=float(stored["spacing_mm"]),
                classes=stored["classes"],
                levels=stored["levels"],
                spine_distance=stored["spine_distance"],
                rest_distance=stored["rest_distance"],
                surroundings=stored.get("surroundings"),
                skin_distance=stored.get("skin_distance"),
                centres=dict(
                    zip(
                        (int(label) for label in stored["centre_labels"]),
                        stored["centre_indices"],
                        strict=True,
                    )
                ),
            )


def level_position(label: int) -> float:
    """Position along the spine the level output is trained on: C1 = 1 ... L5 = 24, T13 = 19.5."""
    return T13_POSITION if label == _T13_LABEL else float(label)


def level_positions() -> npt.NDArray[np.float32]:
    """Positions of all VerSe labels, as a lookup table of 256 entries; 0 stays 0."""
    table = np.arange(256, dtype=np.float32)
    table[_T13_LABEL] = T13_POSITION
    return table


def without_steps(source: LabelSource) -> LabelSource:
    """Let classes and levels reach a little beyond the bone's smooth surface.

    Label maps are staircases. Where the smooth distance says bone and the staircase says nothing,
    a patch would show bone that belongs to nobody, and what is learnt from it would be too small.
    """
    vertebra = source.levels > 0
    distance, index = ndimage.distance_transform_edt(~vertebra, return_indices=True)
    near = distance * source.spacing_mm < _BEYOND_LABELS_MM
    bone = source.spine_distance < _BEYOND_LABELS_MM / DISTANCE_UNIT_MM
    other_bone = source.rest_distance < source.spine_distance
    reached = near & bone & ~vertebra & ~other_bone
    nearest = tuple(axis[reached] for axis in index)
    classes, levels = source.classes.copy(), source.levels.copy()
    levels[reached] = source.levels[nearest]
    classes[reached] = source.classes[nearest]
    return replace(source, classes=classes, levels=levels)


def stored_distance(distance_mm: npt.NDArray[np.floating]) -> Int8:
    """Distance in mm as a label source keeps it: int8, tenths, clipped at ±12.7 mm."""
    tenths = np.rint(distance_mm / DISTANCE_UNIT_MM)
    stored: Int8 = np.clip(tenths, -127, 127).astype(np.int8)
    return stored


def surface_distance(groups: npt.NDArray[np.integer], spacing_mm: float) -> Int8:
    """Signed distance to the surface of numbered bones, with a gap where two of them touch.

    Parameters
    ----------
    groups
        Integer array, one number per bone, 0 outside.
    spacing_mm
        Of the isotropic grid.

    Returns
    -------
    int8, tenths of a mm, negative inside, clipped at ±12.7 mm.
    """
    bone = (groups > 0) & ~_touching(groups)
    if not bone.any():
        return np.full(groups.shape, 127, dtype=np.int8)
    outside = ndimage.distance_transform_edt(~bone).astype(np.float32)
    outside -= ndimage.distance_transform_edt(bone).astype(np.float32)
    return stored_distance(ndimage.gaussian_filter(outside, 0.6) * spacing_mm)


def skin_distance(body: npt.NDArray[np.bool_], spacing_mm: float, shape: tuple[int, ...]) -> Int8:
    """Signed distance to the skin of a coarse body mask, brought to a finer grid.

    Returns
    -------
    int8 of `shape`, mm, negative under the skin, clipped at ±127 mm.
    """
    distance = ndimage.distance_transform_edt(~body).astype(np.float32)
    distance -= ndimage.distance_transform_edt(body).astype(np.float32)
    factors = [a / b for a, b in zip(shape, body.shape, strict=True)]
    fine = ndimage.zoom(
        distance * np.float32(spacing_mm), factors, order=1, mode="nearest", grid_mode=True
    )
    skin: Int8 = np.clip(fine, -127, 127).astype(np.int8)
    return skin


def _touching(groups: npt.NDArray[np.integer]) -> npt.NDArray[np.bool_]:
    touching = np.zeros(groups.shape, dtype=bool)
    for axis in range(3):
        values = np.moveaxis(groups, axis, 0)
        marked = np.moveaxis(touching, axis, 0)
        marked[:-1] |= (values[:-1] != values[1:]) & (values[:-1] > 0) & (values[1:] > 0)
    return touching


def bone_groups(classes: UInt8) -> npt.NDArray[np.uint8]:
    """Number sacrum, ribs and other bone as the groups of `surface_distance`."""
    groups = np.zeros(classes.shape, dtype=np.uint8)
    for number, tissue in enumerate((Tissue.SACRUM, Tissue.RIB, Tissue.OTHER_BONE), start=1):
        groups[classes == tissue] = number
    return groups
