"""How well do masks and names agree with the truth of phantoms that no training run has seen?

python -m benchmarks.masks [--weights FILE] [--seed SEED ...] [--threads 1]

Twelve phantoms as `spinenode phantom` writes them: every orientation, slices of 0.7 to 5 mm, C2 to
L5. Prints for each the Dice of its vertebrae under their true names (whole and body alone), which
names are wrong, and the warnings.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from benchmarks.levels import segmenter_of
from inference.anatomy import VertebraLevel
from inference.evaluation.overlap import dice
from inference.phantom.layout import field_of_view, phantom_anatomy
from inference.phantom.render import render
from inference.phantom.spec import USUAL_LEVELS, PhantomSpec
from inference.report import Segmentation
from inference.segmenter import Segmenter
from inference.volume import CTVolume, LabelArray
from inference.weights import RELEASED

PHANTOMS = (
    (5101, "axial", (0.7, 0.7, 0.7), "T12", "L4"),
    (5102, "axial", (0.9, 0.9, 5.0), "T6", "L5"),
    (5103, "sagittal", (3.0, 0.8, 0.8), "T9", "L5"),
    (5104, "coronal", (0.8, 4.0, 0.8), "T10", "L5"),
    (5105, "axial", (0.8, 0.8, 3.0), "T1", "T12"),
    (5106, "sagittal", (5.0, 0.9, 0.9), "T8", "L5"),
    (5107, "coronal", (1.0, 1.0, 1.0), "T11", "L5"),
    (5108, "axial", (0.6, 0.6, 2.0), "C3", "T4"),
    (5109, "axial", (1.0, 1.0, 4.0), "T4", "L1"),
    (5110, "coronal", (0.9, 5.0, 0.9), "T10", "L5"),
    (5111, "sagittal", (1.5, 0.7, 0.7), "C2", "T3"),
    (5112, "axial", (0.8, 0.8, 1.25), "T3", "T10"),
)


@dataclass(frozen=True)
class Agreement:
    """Dice of every whole vertebra of a phantom under its true name."""

    whole: dict[VertebraLevel, float]
    bodies: dict[VertebraLevel, float]
    wrong: tuple[str, ...]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path, help="other weights than the released ones")
    parser.add_argument("--seed", type=int, nargs="*", help="these phantoms only")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    segmenter = segmenter_of(arguments.weights or RELEASED.path, names_only=False)
    chosen = [spec for spec in specs() if not arguments.seed or spec.seed in arguments.seed]
    named = [agreement for spec in chosen if not (agreement := examine(spec, segmenter)).wrong]
    whole, bodies = (
        [np.mean(list(part.values())) for part in parts]
        for parts in ((each.whole for each in named), (each.bodies for each in named))
    )
    print(
        f"{len(named)} of {len(chosen)} phantoms named right throughout; their mean Dice"
        f" {np.mean(whole):.4f}, bodies {np.mean(bodies):.4f}"
    )


def specs() -> Iterator[PhantomSpec]:
    for seed, orientation, spacing_mm, first, last in PHANTOMS:
        top, bottom = VertebraLevel[first].rank, VertebraLevel[last].rank
        yield PhantomSpec(
            seed=seed,
            levels=tuple(level for level in USUAL_LEVELS if top <= level.rank <= bottom),
            orientation=orientation,
            spacing_xyz_mm=spacing_mm,
        )


def examine(spec: PhantomSpec, segmenter: Segmenter) -> Agreement:
    anatomy = phantom_anatomy(spec)
    affine, shape = field_of_view(spec, anatomy)
    made = render(spec, anatomy, affine, shape)
    found = segmenter.segment(CTVolume(made.hu, affine))
    agreement = compare(spec, found, made.labels, made.bodies)
    print(line(spec, found, agreement), flush=True)
    return agreement


def compare(
    spec: PhantomSpec, found: Segmentation, labels: LabelArray, bodies: LabelArray
) -> Agreement:
    whole = {level: dice_of(level, found.labels, labels) for level in spec.levels}
    return Agreement(
        whole,
        {level: dice_of(level, found.bodies, bodies) for level in spec.levels},
        tuple(level.name for level, value in whole.items() if value < 0.5),
    )


def dice_of(level: VertebraLevel, found: LabelArray, truth: LabelArray) -> float:
    return dice(found == int(level), truth == int(level))


def line(spec: PhantomSpec, found: Segmentation, agreement: Agreement) -> str:
    spacing = " x ".join(f"{mm:g}" for mm in spec.spacing_xyz_mm)
    worst = min(agreement.whole, key=lambda level: agreement.whole[level])
    sure = max(vertebra.confidence for vertebra in found.vertebrae)
    warnings = ", ".join(notice.code for notice in found.warnings) or "no warning"
    return (
        f"{spec.seed} {spec.orientation} {spacing} mm, {spec.levels[0].name}-"
        f"{spec.levels[-1].name}: Dice {np.mean(list(agreement.whole.values())):.4f} (bodies"
        f" {np.mean(list(agreement.bodies.values())):.4f}), least {worst.name}"
        f" {agreement.whole[worst]:.3f}; named wrongly: {', '.join(agreement.wrong) or 'none'};"
        f" confidence up to {sure:.2f}; {warnings}"
    )


if __name__ == "__main__":
    main()
