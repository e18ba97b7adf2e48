"""Heights and fracture findings on a fixed cohort of phantoms, given their true masks.

``python -m benchmarks.fracture --patients 20`` prints sensitivity per fracture, false positives
per patient, grade and type agreement and height errors by slice thickness, beside the aim:
Burns et al., Radiology 2017 (95.7 % sensitivity per fracture at 0.29 false positives per patient).
"""

from __future__ import annotations

import argparse
import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from inference import CTVolume, LabelledVertebra, ModelIdentity, Segmentation, VertebraLevel
from inference.fracture import GRADE_FROM_LOSS
from inference.morphometry import measure
from inference.phantom.fractures import Fracture
from inference.phantom.layout import field_of_view, phantom_anatomy
from inference.phantom.render import render
from inference.phantom.spec import ORIENTATIONS, PhantomSpec
from inference.phantom.truth import truth
from inference.report import VertebraMeasurement

THIN_MM, THICK_MM = 1.25, 3.0
SLICES_MM = (0.7, 1.0, 1.25, 3.0, 5.0)
THRESHOLD_MARGIN = 0.02
"""Losses this near a grade's threshold are left out of the exact agreement."""
LEVELS = tuple(
    level
    for level in VertebraLevel.ordered()
    if VertebraLevel.T4.rank <= level.rank <= VertebraLevel.L5.rank
    and level is not VertebraLevel.T13
)


@dataclass
class Tally:
    """What the cohort showed."""

    patients: int = 0
    fractures: int = 0
    found: int = 0
    false_positives: int = 0
    bodies: int = 0
    unmeasured: int = 0
    grade_off_by: list[int] = field(default_factory=list)
    grade_exact: list[bool] = field(default_factory=list)
    type_right: list[bool] = field(default_factory=list)
    errors_mm: dict[float, list[float]] = field(default_factory=lambda: defaultdict(list))
    surprises: list[str] = field(default_factory=list)


def cohort(patients: int, seed: int) -> Iterator[PhantomSpec]:
    """Phantoms over all levels, types, losses, spacings and orientations; fixed by the seed."""
    rng = np.random.default_rng(seed)
    for number in range(patients):
        first = int(rng.integers(0, len(LEVELS) - 5))
        levels = LEVELS[first : first + 6]
        count = int(rng.integers(0, 3))
        chosen = rng.choice(len(levels), count, replace=False)
        fractures = tuple(
            Fracture(levels[int(n)], str(rng.choice(["wedge", "biconcave", "crush"])), loss)
            for n in chosen
            if (loss := round(float(rng.uniform(0.15, 0.6)), 3))
        )
        thick = SLICES_MM[number % len(SLICES_MM)]
        orientation = ORIENTATIONS[number % 3]
        spacing = [max(0.7, min(0.9, thick))] * 3
        spacing[{"axial": 2, "sagittal": 0, "coronal": 1}[orientation]] = thick
        yield PhantomSpec(
            seed=seed * 1000 + number,
            levels=levels,
            fractures=fractures,
            bmd_mg_cm3=round(float(rng.uniform(40, 200)), 1),
            orientation=orientation,
            spacing_xyz_mm=(spacing[0], spacing[1], spacing[2]),
            noise_hu=round(float(rng.uniform(8, 35)), 1),
            field_of_view_mm=110.0,
        )


def examine(spec: PhantomSpec) -> tuple[list[dict[str, Any]], dict[str, VertebraMeasurement]]:
    """Truth and measurements of one phantom."""
    anatomy = phantom_anatomy(spec)
    affine, shape = field_of_view(spec, anatomy)
    known = truth(spec, anatomy, affine, shape)["vertebrae"]
    rendered = render(spec, anatomy, affine, shape)
    found = tuple(
        LabelledVertebra(VertebraLevel(row["verse_label"]), 1.0, bool(row["complete"]))
        for row in known
    )
    model = ModelIdentity("phantom truth", "1", "0" * 64)
    masks = Segmentation(rendered.labels, rendered.bodies, found, model)
    measured = measure(CTVolume(rendered.hu, affine), masks)
    return known, {m.level.name: m for m in measured}


def compare(
    tally: Tally, spec: PhantomSpec, row: dict[str, Any], measured: VertebraMeasurement | None
) -> None:
    """Add one complete vertebra to the tally."""
    tally.bodies += 1
    fractured = row["genant"]["grade"] > 0
    tally.fractures += fractured
    if measured is None or measured.heights_mm is None or measured.fracture is None:
        tally.unmeasured += 1
        tally.surprises.append(f"seed {spec.seed} {row['label']}: not measured")
        return
    finding = measured.fracture
    for site, true_mm in row["heights_mm"].items():
        error = getattr(measured.heights_mm, site) - true_mm
        tally.errors_mm[max(spec.spacing_xyz_mm)].append(error)
    tally.found += fractured and finding.fractured
    tally.false_positives += finding.fractured and not fractured
    off_by = abs(finding.grade - row["genant"]["grade"])
    tally.grade_off_by.append(off_by)
    if min(abs(row["height_loss"] - t) for t in GRADE_FROM_LOSS) > THRESHOLD_MARGIN:
        tally.grade_exact.append(off_by == 0)
    if fractured and finding.fractured:
        tally.type_right.append(finding.type == row["genant"]["type"])
    if fractured != finding.fractured or off_by > 1:
        true = f"{row['genant']['type']} {row['height_loss']:.3f}"
        place = f"{spec.orientation} {spec.spacing_xyz_mm}"
        tally.surprises.append(f"seed {spec.seed} {place}: true {true}; {finding.sentence}")


def interval(hits: int, total: int) -> str:
    """Share with its 95 % Wilson interval."""
    if total == 0:
        return "none"
    z, share = 1.96, hits / total
    middle = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total**2)) / (1 + z * z / total)
    return f"{share:.1%} ({middle - half:.1%} to {middle + half:.1%}; {hits} of {total})"


def show(tally: Tally) -> None:
    """Print the tally."""
    print(f"patients {tally.patients}, bodies {tally.bodies}, not measured {tally.unmeasured}")
    print("sensitivity per fracture", interval(tally.found, tally.fractures), "aim 95 %")
    print(f"false positives per patient {tally.false_positives / tally.patients:.2f}, aim 0.29")
    print("grade exact outside ±2 %", interval(sum(tally.grade_exact), len(tally.grade_exact)))
    within = sum(off <= 1 for off in tally.grade_off_by)
    print("grade within one step", interval(within, len(tally.grade_off_by)))
    print("type right", interval(sum(tally.type_right), len(tally.type_right)))
    for thick, errors in sorted(tally.errors_mm.items()):
        size = np.abs(errors)
        line = f"mean absolute {size.mean():.2f}, bias {np.mean(errors):+.2f}"
        print(
            f"height error at {thick:g} mm: {line}, 95th percentile {np.quantile(size, 0.95):.2f}"
        )
    for surprise in tally.surprises:
        print(" ", surprise)


def main() -> None:
    """Run the cohort."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=10)
    parser.add_argument("--seed", type=int, default=11)
    arguments = parser.parse_args()
    tally = Tally()
    for spec in cohort(arguments.patients, arguments.seed):
        known, measured = examine(spec)
        tally.patients += 1
        for row in known:
            if row["complete"]:
                compare(tally, spec, row, measured.get(row["label"]))
    show(tally)


if __name__ == "__main__":
    main()
