"""Fixed cohorts of phantom patients, and what is measured on them beside the truth.

Every patient follows from the cohort's seed and the patient's number: levels T4 to L5, all
fracture types, losses of 0 to 60 %, slices of 0.7 to 5 mm in three orientations, noise,
osteophytes and scoliosis. Measured with the phantom's own masks, or with a model's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from inference import CTVolume, LabelledVertebra, ModelIdentity, Segmentation, VertebraLevel
from inference.errors import NotAnalysable
from inference.morphometry import measure
from inference.phantom.anatomy import SpineAnatomy, sample_anatomy
from inference.phantom.fractures import FRACTURE_TYPES, Fracture
from inference.phantom.layout import field_of_view
from inference.phantom.options import AnatomyOptions
from inference.phantom.render import render
from inference.phantom.spec import ORIENTATIONS, PhantomSpec
from inference.phantom.truth import truth
from inference.report import VertebraMeasurement
from inference.segmenter import Segmenter

SLICES_MM = (0.7, 1.0, 1.25, 2.0, 3.0, 4.0, 5.0)
LEVELS = tuple(
    level
    for level in VertebraLevel.ordered()
    if VertebraLevel.T4.rank <= level.rank <= VertebraLevel.L5.rank
    and level is not VertebraLevel.T13
)
LEVELS_SHOWN = 6
LARGEST_LOSS = 0.6
TIGHT_FIELD_MM = 110.0
"""Field of view for measuring with true masks: the spine and little else, quick to render."""
TORSO_FIELD_MM = 240.0
"""Field of view for a model, which needs to see where in the trunk it is."""


@dataclass(frozen=True)
class Patient:
    """One phantom of a cohort."""

    spec: PhantomSpec
    anatomy: SpineAnatomy

    @property
    def slice_mm(self) -> float:
        """Thickness of the slices, the largest of the three spacings."""
        return max(self.spec.spacing_xyz_mm)

    @property
    def name(self) -> str:
        """Number and scan in words."""
        shown = " x ".join(f"{mm:g}" for mm in self.spec.spacing_xyz_mm)
        return f"patient {self.spec.seed} {self.spec.orientation} {shown} mm"


@dataclass(frozen=True)
class Examined:
    """True rows of `truth.json` by level, and measurements by level."""

    known: dict[VertebraLevel, dict[str, Any]]
    measured: dict[VertebraLevel, VertebraMeasurement]


def patients(count: int, seed: int, field_mm: float = TIGHT_FIELD_MM) -> Iterator[Patient]:
    """The first `count` patients of the cohort of `seed`; later ones do not change earlier ones."""
    return (patient(number, seed, field_mm) for number in range(count))


def patient(number: int, seed: int, field_mm: float = TIGHT_FIELD_MM) -> Patient:
    """One patient of the cohort of `seed`, without those before."""
    rng = np.random.default_rng([seed, number])
    first = int(rng.integers(0, len(LEVELS) - LEVELS_SHOWN + 1))
    levels = LEVELS[first : first + LEVELS_SHOWN]
    spec = PhantomSpec(
        seed=seed * 10_000 + number,
        levels=levels,
        fractures=_fractures(levels, rng),
        bmd_mg_cm3=round(float(rng.uniform(40, 200)), 1),
        orientation=ORIENTATIONS[number % len(ORIENTATIONS)],
        spacing_xyz_mm=_spacing(number),
        noise_hu=round(float(rng.uniform(8, 35)), 1),
        field_of_view_mm=field_mm,
    )
    options = AnatomyOptions(
        fractures=spec.fractures,
        reference_levels=spec.levels,
        scoliosis_deg=float(rng.choice([2.0, 8.0, 16.0], p=[0.6, 0.25, 0.15])),
        osteophytes=float(rng.choice([0.05, 0.15, 0.28], p=[0.6, 0.25, 0.15])),
    )
    return Patient(spec, sample_anatomy(np.random.default_rng([spec.seed, 0]), options))


def _fractures(levels: tuple[VertebraLevel, ...], rng: np.random.Generator) -> tuple[Fracture, ...]:
    """None to three fractures, most of them one or two."""
    count = int(rng.choice([0, 1, 2, 3], p=[0.25, 0.35, 0.3, 0.1]))
    at = rng.choice(len(levels), count, replace=False)
    return tuple(
        Fracture(
            levels[int(place)],
            str(rng.choice(FRACTURE_TYPES)),
            round(float(rng.uniform(0.0, LARGEST_LOSS)), 3),
        )
        for place in at
    )


def _spacing(number: int) -> tuple[float, float, float]:
    """Slices of every thickness in every orientation; the pixels stay small."""
    thick = SLICES_MM[number % len(SLICES_MM)]
    spacing = [max(0.7, min(0.9, thick))] * 3
    across = {"axial": 2, "sagittal": 0, "coronal": 1}[ORIENTATIONS[number % len(ORIENTATIONS)]]
    spacing[across] = thick
    return spacing[0], spacing[1], spacing[2]


def examine(patient: Patient, segmenter: Segmenter | None = None) -> Examined:
    """Render and measure one patient, with the true masks unless a segmenter is given."""
    affine, shape = field_of_view(patient.spec, patient.anatomy)
    rows = truth(patient.spec, patient.anatomy, affine, shape)["vertebrae"]
    known = {VertebraLevel(row["verse_label"]): row for row in rows}
    rendered = render(patient.spec, patient.anatomy, affine, shape)
    volume = CTVolume(rendered.hu, affine)
    if segmenter is None:
        masks = _true_masks(rendered.labels, rendered.bodies, known)
        return Examined(known, {m.level: m for m in measure(volume, masks)})
    try:
        found = measure(volume, segmenter.segment(volume))
    except NotAnalysable:
        return Examined(known, {})
    return Examined(known, _by_place(known, found))


def _true_masks(
    labels: npt.NDArray[np.uint8],
    bodies: npt.NDArray[np.uint8],
    known: dict[VertebraLevel, dict[str, Any]],
) -> Segmentation:
    found = tuple(LabelledVertebra(v, 1.0, bool(row["complete"])) for v, row in known.items())
    return Segmentation(labels, bodies, found, ModelIdentity("phantom truth", "1", "0" * 64))


SAME_PLACE_MM = 12.0


def _by_place(
    known: dict[VertebraLevel, dict[str, Any]], found: tuple[VertebraMeasurement, ...]
) -> dict[VertebraLevel, VertebraMeasurement]:
    """Measurements under the true level at their place, whatever name they carry."""
    placed: dict[VertebraLevel, VertebraMeasurement] = {}
    for level, row in known.items():
        centre = np.array(row["centroid_lps_mm"])
        apart = [float(np.linalg.norm(np.array(m.centroid_lps_mm) - centre)) for m in found]
        if apart and min(apart) <= SAME_PLACE_MM:
            placed[level] = found[int(np.argmin(apart))]
    return placed
