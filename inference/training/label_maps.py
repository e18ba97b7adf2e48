"""Patients' label maps (NIfTI) to `LabelSource`: whole torsos, and maps of vertebrae alone.

Which files exist, and under which licence they may be used, is written in the model card.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import numpy.typing as npt
from scipy import ndimage

from inference.anatomy import SACRUM_LABEL
from inference.networks import Tissue
from inference.training.bodies_and_discs import discs_between, split_bodies
from inference.training.errors import MissingTrainingData
from inference.training.label_source import (
    ARTERY,
    CANAL,
    FIRST_ORGAN,
    LUNG,
    MUSCLE,
    VEIN,
    LabelSource,
    UInt8,
    bone_groups,
    skin_distance,
    surface_distance,
)

CLASS_TABLE = "labels/totalsegmentator_v2_total_classes.json"

_OTHER_BONES = ("hip_", "femur", "humerus", "scapula", "clavicula", "sternum", "skull", "costal")
_VEINS = (
    "inferior_vena_cava",
    "superior_vena_cava",
    "portal_vein_and_splenic_vein",
    "iliac_vena_left",
    "iliac_vena_right",
)
_MUSCLES = ("gluteus", "autochthon", "iliopsoas")
_CLOSING_STEPS = 11
_MARGIN_MM = 12.0


@dataclass(frozen=True)
class VertebraMap:
    """A NIfTI file of VerSe labels; `spacing_ras_mm` replaces a header known to be wrong."""

    file: str
    spacing_ras_mm: tuple[float, float, float] | None = None


TORSOS = {"ts_s0327": "labels/ts_s0327", "ts_s0328": "labels/ts_s0328"}
VERTEBRA_MAPS = {
    "verse004": VertebraMap("labels/verse004_vert_verse.nii.gz"),
    "verse_gl003": VertebraMap("labels/verse_gl003_vert_verse.nii.gz"),
    "verse_gl017": VertebraMap("labels/verse_gl017_vert_verse.nii.gz"),
    "spl_abdominal": VertebraMap("labels/spl_abdominal_vert_verse.nii.gz", (1.25, 1.25, 3.0)),
}


def read_canonical(path: Path) -> tuple[UInt8, tuple[float, float, float]]:
    """Read a label NIfTI as uint8 ``[R+, A+, S+]`` with its spacing in mm.

    Raises
    ------
    MissingTrainingData
        If the file is absent.
    """
    if not path.is_file():
        raise MissingTrainingData(f"label map not found: {path.parent.name}/{path.name}")
    image = nib.as_closest_canonical(nib.load(path))  # type: ignore[no-untyped-call] # untyped
    labels = np.asanyarray(image.dataobj).astype(np.uint8)
    x, y, z = (float(size) for size in image.header.get_zooms()[:3])
    return labels, (x, y, z)


def vertebra_source(name: str, data: Path, spacing_mm: float = 1.25) -> LabelSource:
    """Prepare a map that knows vertebrae, and perhaps the sacrum, and nothing else."""
    entry = VERTEBRA_MAPS[name]
    labels, spacing = read_canonical(data / entry.file)
    spacing = entry.spacing_ras_mm or spacing
    box = ndimage.find_objects((labels > 0).astype(np.uint8))[0]
    sides = tuple(
        slice(max(0, side.start - int(_MARGIN_MM / mm)), side.stop + int(_MARGIN_MM / mm))
        for side, mm in zip(box, spacing, strict=True)
    )
    factors = [mm / spacing_mm for mm in spacing]
    labels = ndimage.zoom(labels[sides], factors, order=0, mode="nearest", grid_mode=True)
    return source_from_levels(name, labels, spacing_mm)


def source_from_levels(name: str, labels: UInt8, spacing_mm: float) -> LabelSource:
    """Prepare VerSe labels on an isotropic ``[R+, A+, S+]`` grid."""
    levels = np.where(labels == SACRUM_LABEL, 0, labels).astype(np.uint8)
    classes = np.where(labels == SACRUM_LABEL, Tissue.SACRUM, 0).astype(np.uint8)
    centres = _add_vertebrae(classes, levels, spacing_mm)
    return LabelSource(
        name=name,
        spacing_mm=spacing_mm,
        classes=classes,
        levels=levels,
        spine_distance=surface_distance(levels, spacing_mm),
        rest_distance=surface_distance(bone_groups(classes), spacing_mm),
        surroundings=None,
        skin_distance=None,
        centres=centres,
    )


def torso_source(name: str, data: Path) -> LabelSource:
    """Prepare a TotalSegmentator label map of a whole torso (isotropic)."""
    structures, (spacing_mm, _, _) = read_canonical(data / f"{TORSOS[name]}_total.nii.gz")
    labels, _ = read_canonical(data / f"{TORSOS[name]}_vert_verse.nii.gz")
    names = json.loads((data / CLASS_TABLE).read_text(encoding="utf-8"))
    bones, surroundings = _structure_tables({int(key): value for key, value in names.items()})
    levels = np.where(labels == SACRUM_LABEL, 0, labels).astype(np.uint8)
    classes = bones[structures]
    classes[labels == SACRUM_LABEL] = Tissue.SACRUM
    centres = _add_vertebrae(classes, levels, spacing_mm)
    return LabelSource(
        name=name,
        spacing_mm=spacing_mm,
        classes=classes,
        levels=levels,
        spine_distance=surface_distance(levels, spacing_mm),
        rest_distance=surface_distance(bone_groups(classes), spacing_mm),
        surroundings=surroundings[structures],
        skin_distance=_skin_distance(structures > 0, spacing_mm),
        centres=centres,
    )


def _add_vertebrae(
    classes: UInt8, levels: UInt8, spacing_mm: float
) -> dict[int, npt.NDArray[np.float64]]:
    """Write bodies, posterior elements and discs; slivers of a cut vertebra are erased."""
    bodies, centres = split_bodies(levels, spacing_mm)
    cut_off = (levels > 0) & ~np.isin(levels, sorted(centres))
    levels[cut_off] = 0
    discs = discs_between(levels, bodies, centres, spacing_mm)
    classes[discs & (classes == 0)] = Tissue.DISC
    classes[levels > 0] = Tissue.POSTERIOR
    classes[bodies] = Tissue.BODY
    return centres


def _structure_tables(names: dict[int, str]) -> tuple[UInt8, UInt8]:
    bones = np.zeros(256, dtype=np.uint8)
    tissues = np.zeros(256, dtype=np.uint8)
    for number, name in names.items():
        if name in {"sacrum", "vertebrae_S1"}:
            bones[number] = Tissue.SACRUM
        elif name.startswith("rib_"):
            bones[number] = Tissue.RIB
        elif name.startswith(_OTHER_BONES):
            bones[number] = Tissue.OTHER_BONE
        tissues[number] = _tissue_of(name, number)
    return bones, tissues


def _tissue_of(name: str, number: int) -> int:
    if name.startswith("lung"):
        return LUNG
    if name == "aorta" or name.startswith("iliac_artery"):
        return ARTERY
    if name in _VEINS:
        return VEIN
    if name == "spinal_cord":
        return CANAL
    if name.startswith(("vertebrae", *_MUSCLES)):
        return MUSCLE
    return FIRST_ORGAN + number


def _skin_distance(known: npt.NDArray[np.bool_], spacing_mm: float) -> npt.NDArray[np.int8]:
    coarse = np.pad(known[::2, ::2, ::2], _CLOSING_STEPS + 1)
    closed = ndimage.binary_closing(coarse, iterations=_CLOSING_STEPS)
    inner = slice(_CLOSING_STEPS + 1, -_CLOSING_STEPS - 1)
    body = closed[inner, inner, inner]
    return skin_distance(body, 2 * spacing_mm, known.shape)
