"""How good the network is now: voxel-wise agreement on whole CTs and on held-out patches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from inference.anatomy import SACRUM_LABEL, VertebraLevel
from inference.evaluation.overlap import dice
from inference.networks import LEVEL_CHANNEL, LEVEL_UNIT, Tissue
from inference.phantom.fractures import Fracture
from inference.phantom.layout import field_of_view, phantom_anatomy
from inference.phantom.render import render
from inference.phantom.spec import PhantomSpec
from inference.preprocess import from_network_order, prepare
from inference.sliding import VoxelPrediction, predict
from inference.training.errors import InvalidTrainingConfig, MissingTrainingData
from inference.training.label_maps import read_canonical
from inference.training.label_source import level_position
from inference.training.patches import PatchDataset
from inference.volume import CTVolume, HUArray, LabelArray

Bools = npt.NDArray[np.bool_]

EXAMPLE = "ts_example_ct"
CROP = "tptbox_L3"
_BODY_SUBREGIONS = (49, 50)
_EXAMPLE_ANNOTATED_SLICES = 102
"""Above this slice the reference of the example CT is incomplete (T11 and T10)."""

_SACRUM_STRUCTURES = (25, 26)
"""TotalSegmentator's sacrum and S1; its VerSe form holds S1 alone."""

_MIN_BODY_VOXELS = 60

_CASE_FIELD_MM = 220.0

PHANTOM_CASES = {
    "phantom_lumbar": PhantomSpec(
        seed=901,
        fractures=(Fracture(VertebraLevel.L1, "wedge", 0.32),),
        bmd_mg_cm3=100.0,
        spacing_xyz_mm=(1.5, 1.5, 2.0),
        field_of_view_mm=_CASE_FIELD_MM,
    ),
    "phantom_thoracic": PhantomSpec(
        seed=902,
        levels=tuple(v for v in VertebraLevel.ordered() if 9 <= v <= 17),
        spacing_xyz_mm=(1.5, 1.5, 4.0),
        field_of_view_mm=_CASE_FIELD_MM,
    ),
}
"""A fractured lumbar spine, and T2 to T10 with thick slices."""


@dataclass(frozen=True)
class LabelledCT:
    """A CT with a reference.

    Attributes
    ----------
    labels
        VerSe labels (k, j, i).
    bodies
        Reference bodies (k, j, i), or None where the reference has none.
    judged
        Where the reference is complete (k, j, i).
    """

    name: str
    volume: CTVolume
    labels: LabelArray
    bodies: Bools | None
    judged: Bools


def read_example(data: Path) -> LabelledCT:
    """Read the labelled example CT of the data folder.

    Raises
    ------
    MissingTrainingData
        If its files are absent.
    """
    volume = read_ct(data / f"ct/{EXAMPLE}.nii.gz")
    labels, _ = read_canonical(data / f"labels/{EXAMPLE}_vert_verse.nii.gz")
    bodies, _ = read_canonical(data / f"labels/{EXAMPLE}_bodies_auto.nii.gz")
    judged = np.zeros(volume.shape_kji, dtype=bool)
    judged[:_EXAMPLE_ANNOTATED_SLICES] = True
    structures, _ = read_canonical(data / f"labels/{EXAMPLE}_total.nii.gz")
    labels_kji = from_network_order(labels)
    whole_sacrum = np.isin(from_network_order(structures), _SACRUM_STRUCTURES)
    labels_kji[whole_sacrum] = SACRUM_LABEL
    body = (from_network_order(bodies) == 1) & (labels_kji > 0) & (labels_kji < SACRUM_LABEL)
    return LabelledCT(EXAMPLE, volume, labels_kji, body, judged)


def read_crop(data: Path) -> LabelledCT:
    """Read the expert-labelled crop of L2 to L4; only what its labels cover is judged.

    Raises
    ------
    MissingTrainingData
        If its files are absent.
    """
    volume = read_ct(data / f"ct/{CROP}.nii.gz")
    labels, _ = read_canonical(data / f"labels/{CROP}_vert_verse.nii.gz")
    parts, _ = read_canonical(data / f"labels/{CROP}_subreg.nii.gz")
    body = np.isin(from_network_order(parts), _BODY_SUBREGIONS)
    everywhere = np.ones(volume.shape_kji, dtype=bool)
    return LabelledCT(CROP, volume, from_network_order(labels), body, everywhere)


def read_ct(path: Path) -> CTVolume:
    """Read a CT NIfTI as a volume whose axes are exactly those of the patient.

    Raises
    ------
    MissingTrainingData
        If the file is absent.
    """
    import nibabel as nib  # noqa: PLC0415 - only evaluation on files needs it

    if not path.is_file():
        raise MissingTrainingData(f"CT not found: {path.parent.name}/{path.name}")
    image = nib.as_closest_canonical(nib.load(path))  # type: ignore[no-untyped-call] # untyped
    hu: HUArray = from_network_order(np.asanyarray(image.dataobj).astype(np.int16))
    x, y, z = (float(size) for size in image.header.get_zooms()[:3])
    affine = np.zeros((4, 4))
    affine[2, 0], affine[1, 1], affine[0, 2], affine[3, 3] = z, y, x, 1.0
    return CTVolume(hu, affine)


def phantom_ct(name: str, spec: PhantomSpec) -> LabelledCT:
    """Render a procedural patient with exact labels, by the phantom's own renderer."""
    anatomy = phantom_anatomy(spec)
    affine, shape = field_of_view(spec, anatomy)
    made = render(spec, anatomy, affine, shape)
    everywhere = np.ones(shape, dtype=bool)
    return LabelledCT(name, CTVolume(made.hu, affine), made.labels, made.bodies > 0, everywhere)


def labelled_case(name: str, data: Path | None) -> LabelledCT:
    """Read or render the case of that name.

    Raises
    ------
    InvalidTrainingConfig
        If there is no such case.
    MissingTrainingData
        If the case is a patient's and its files are absent.
    """
    if name in PHANTOM_CASES:
        return phantom_ct(name, PHANTOM_CASES[name])
    readers = {EXAMPLE: read_example, CROP: read_crop}
    if name not in readers:
        raise InvalidTrainingConfig(f"cases: unknown case {name}")
    if data is None:
        raise MissingTrainingData(f"case {name} needs a data folder")
    return readers[name](data)


def judge_ct(network: nn.Module, case: LabelledCT) -> dict[str, float]:
    """Run the product's own sliding window over a CT and compare at 2 mm."""
    prepared = prepare(case.volume)
    prediction = predict(network, prepared.hu, torch.device("cpu"))
    nearest = [
        np.clip(np.rint(prepared.grid.to_source(axis, np.arange(n))), 0, size - 1).astype(int)
        for axis, (n, size) in enumerate(zip(prepared.grid.shape, case.labels.shape, strict=True))
    ]
    on_grid = np.ix_(*nearest)
    bodies = None if case.bodies is None else case.bodies[on_grid]
    return agreement(prediction, case.labels[on_grid], bodies, case.judged[on_grid])


def agreement(
    prediction: VoxelPrediction, labels: LabelArray, bodies: Bools | None, judged: Bools
) -> dict[str, float]:
    """Dice per class, precision of bone called vertebra, and the level output's mean error."""
    classes = prediction.probabilities.argmax(axis=0)
    called = ((classes == Tissue.BODY) | (classes == Tissue.POSTERIOR)) & judged
    sacrum = (labels == SACRUM_LABEL) & judged
    vertebra = (labels > 0) & ~(labels == SACRUM_LABEL) & judged
    found = {
        "vertebra": dice(called, vertebra),
        "sacrum": dice((classes == Tissue.SACRUM) & judged, sacrum),
        "precision": float((called & (vertebra | sacrum)).sum() / max(1, called.sum())),
        "recall": float((called & vertebra).sum() / max(1, vertebra.sum())),
        "level_error": level_error(prediction.level, labels, classes == Tissue.BODY),
    }
    if bodies is not None:
        posterior = vertebra & ~bodies
        found["body"] = dice((classes == Tissue.BODY) & judged & ~sacrum, bodies & judged)
        found["posterior"] = dice((classes == Tissue.POSTERIOR) & judged & ~sacrum, posterior)
    return found


def level_error(level: npt.NDArray[np.float32], labels: LabelArray, bodies: Bools) -> float:
    """Mean over vertebrae of the error of the median level output inside the body."""
    errors = []
    for label in np.unique(labels).tolist():
        inside = (labels == label) & bodies
        if label in {0, SACRUM_LABEL} or inside.sum() < _MIN_BODY_VOXELS:
            continue
        errors.append(abs(float(np.median(level[inside])) - level_position(label)))
    return float(np.mean(errors)) if errors else float("nan")


def judge_patches(network: nn.Module, patches: PatchDataset) -> dict[str, float]:
    """Mean Dice and level error over synthetic patches the network was not trained on."""
    vertebra, body, level = [], [], []
    for number in range(len(patches)):
        image, classes, _, target, inside = patches[number]
        with torch.no_grad():
            output = network(image[None])[0]
        found = output[: len(Tissue)].argmax(dim=0)
        bone = (found == Tissue.BODY) | (found == Tissue.POSTERIOR)
        truth = (classes == Tissue.BODY) | (classes == Tissue.POSTERIOR)
        vertebra.append(dice(bone.numpy(), truth.numpy()))
        body.append(dice((found == Tissue.BODY).numpy(), (classes == Tissue.BODY).numpy()))
        if inside.any():
            error = (output[LEVEL_CHANNEL] - target).abs()[inside]
            level.append(float(error.mean()) * LEVEL_UNIT)
    return {
        "vertebra": float(np.mean(vertebra)),
        "body": float(np.mean(body)),
        "level_error": float(np.mean(level)) if level else float("nan"),
    }


def combined_score(reports: Iterable[Mapping[str, float]]) -> float:
    """One number to keep the best weights by: Dice of every class, less half the level error."""
    scores = []
    for report in reports:
        names = [n for n in ("vertebra", "body", "posterior", "sacrum") if n in report]
        overlap = float(np.mean([report[name] for name in names]))
        miss = report["level_error"]
        scores.append(overlap - 0.1 * min(2.0, miss if np.isfinite(miss) else 2.0))
    return float(np.mean(scores)) if scores else float("nan")
