"""Are the level names right, and does their confidence mean anything?

python -m benchmarks.levels [--views 40] [--cervical 12] [--data ../shared/data] [--plot OUT.png]
                            [--weights FILE] [--names-only]

Random views of random procedural patients (numeric variants, fractures, scoliosis, every
orientation, slices of 0.8 to 5 mm; seeds that no training run uses), views from C2 downwards, and,
where the data folder is there, crops of CTs whose levels are known from their sacrum. Prints
identification per group, the reliability table, and every confident mistake; draws the
reliability plot. With --names-only the second network is left out: names do not depend on it,
masks (and Dice) do.
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from inference import NotAnalysable
from inference.anatomy import VertebraLevel
from inference.evaluation.reliability import NamedVertebra, reliability
from inference.nifti import load_labels
from inference.phantom.anatomy import SpineAnatomy, random_options, sample_anatomy
from inference.phantom.layout import field_of_view
from inference.phantom.render import render
from inference.phantom.spec import ORIENTATIONS, PhantomSpec
from inference.segmenter import Segmenter, TorchSegmenter
from inference.training.bundle import first_part
from inference.training.checkpoint import export_safetensors, initial_weights
from inference.volume import CTVolume, LabelArray
from inference.weights import RELEASED, own_weights

FIRST_SEED = 700_000
CERVICAL = 710_000
SACRUM = 26
_MOST_SLICES = 420
_MIN_OVERLAP = 0.3


ChosenLevels = Callable[[SpineAnatomy, np.random.Generator], tuple[VertebraLevel, ...]]


@dataclass(frozen=True)
class View:
    """A CT and its true labels; `group` says what kind of view it is."""

    name: str
    group: str
    volume: CTVolume
    labels: LabelArray


@dataclass(frozen=True)
class Judged:
    """What came out of one view."""

    view: str
    group: str
    anchored: bool
    vertebrae: tuple[NamedVertebra, ...]
    missed: int
    dice: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--views", type=int, default=40)
    parser.add_argument("--cervical", type=int, default=12, help="views from C2 downwards")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--weights", type=Path, help="other weights than the released ones")
    parser.add_argument("--names-only", action="store_true", help="first network alone: faster")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    segmenter = segmenter_of(arguments.weights or RELEASED.path, arguments.names_only)
    results = []
    views = chain(
        phantom_views("phantom", range(FIRST_SEED, FIRST_SEED + arguments.views), random_levels),
        phantom_views("cervical", range(CERVICAL, CERVICAL + arguments.cervical), neck_levels),
        real_views(arguments.data),
    )
    for view in views:
        results.append(judge(view, segmenter))
        print(line(results[-1]), flush=True)
    report(results)
    if arguments.plot is not None:
        draw(results, arguments.plot)


def segmenter_of(weights: Path, names_only: bool) -> TorchSegmenter:
    with tempfile.TemporaryDirectory() as folder:
        if names_only:
            first = Path(folder) / "first.safetensors"
            export_safetensors(first_part(initial_weights(weights)), first, {})
            weights = first
        digest = hashlib.sha256(weights.read_bytes()).hexdigest()
        return TorchSegmenter(own_weights(weights, digest, weights.stem), device="auto")


def phantom_views(group: str, seeds: Iterable[int], chosen: ChosenLevels) -> Iterator[View]:
    for seed in seeds:
        rng = np.random.default_rng(seed)
        anatomy = sample_anatomy(rng, random_options(rng))
        levels = chosen(anatomy, rng)
        slice_mm = float(rng.choice([0.8, 1.0, 1.5, 2.0, 3.0, 5.0]))
        in_plane = float(rng.uniform(0.8, 1.4))
        spec = PhantomSpec(
            seed=seed,
            orientation=str(rng.choice(ORIENTATIONS)),
            spacing_xyz_mm=(in_plane, in_plane, slice_mm),
            noise_hu=float(rng.uniform(5, 40)),
            bmd_mg_cm3=float(rng.uniform(50, 200)),
            field_of_view_mm=float(rng.choice([180.0, 240.0])),
        )
        affine, shape = view_of(spec, anatomy, levels)
        made = render(spec, anatomy, affine, shape)
        name = f"{group} {seed} {levels[0].name}-{levels[-1].name} {slice_mm:g} mm"
        yield View(name, group, CTVolume(made.hu, affine), made.labels)


def random_levels(anatomy: SpineAnatomy, rng: np.random.Generator) -> tuple[VertebraLevel, ...]:
    present = [v.level for v in anatomy.vertebrae if v.level.rank >= VertebraLevel.C6.rank]
    length = int(rng.integers(4, 13))
    start = int(rng.integers(0, max(1, len(present) - length + 1)))
    return tuple(present[start : start + length])


def neck_levels(anatomy: SpineAnatomy, rng: np.random.Generator) -> tuple[VertebraLevel, ...]:
    return tuple(v.level for v in anatomy.vertebrae[: int(rng.integers(5, 10))])


def view_of(
    spec: PhantomSpec, anatomy: SpineAnatomy, levels: tuple[VertebraLevel, ...]
) -> tuple[np.ndarray, tuple[int, int, int]]:
    """Field of view of a spec over the given levels, numeric variants included."""
    frame = PhantomSpecView(spec, levels)
    return field_of_view(frame, anatomy)  # type: ignore[arg-type]


class PhantomSpecView:
    """A spec whose levels may hold T13 and L6, which a requested phantom never has."""

    def __init__(self, spec: PhantomSpec, levels: tuple[VertebraLevel, ...]) -> None:
        self.__dict__.update(vars(spec), levels=levels)


def real_views(data: Path) -> Iterator[View]:
    ct, known = data / "ct/ts_example_ct.nii.gz", data / "labels/ts_example_ct_vert_verse.nii.gz"
    if not ct.exists():
        print("no data folder: real CTs are left out")
        return
    volume = CTVolume.from_nifti(ct)
    labels = load_labels(known, volume)
    yield View("ts_example_ct", "real", volume, labels)
    crop_ct, crop_labels = data / "ct/tptbox_L3.nii.gz", data / "labels/tptbox_L3_vert_verse.nii.gz"
    volume = CTVolume.from_nifti(crop_ct)
    yield View("tptbox_L3", "real", volume, load_labels(crop_labels, volume))


def judge(view: View, segmenter: Segmenter) -> Judged:
    try:
        found = segmenter.segment(view.volume)
    except NotAnalysable as refusal:
        print(f"{view.name}: refused ({refusal.code})")
        return Judged(view.name, view.group, False, (), true_count(view.labels), 0.0)
    anchored = "no_anchor" not in {w.code for w in found.warnings}
    rows, dices, seen = [], [], set()
    for vertebra in found.vertebrae:
        mask = found.labels == int(vertebra.level)
        true = best_match(mask, view.labels)
        if true is None and not vertebra.complete:
            continue
        rows.append(NamedVertebra(vertebra.level, vertebra.confidence, true == vertebra.level))
        if true is not None and true not in seen:
            seen.add(true)
            truth = view.labels == true
            dices.append(2 * (mask & truth).sum() / (mask.sum() + truth.sum()))
    whole = complete_levels(view.labels)
    missed = len([level for level in whole if level not in seen])
    kept = [d for d, level in zip(dices, seen, strict=False) if level in whole]
    mean = float(np.mean(kept)) if kept else 0.0
    return Judged(view.name, view.group, anchored, tuple(rows), missed, mean)


def best_match(mask: np.ndarray, labels: LabelArray) -> int | None:
    counts = np.bincount(labels[mask], minlength=SACRUM + 3)
    counts[[0, SACRUM]] = 0
    best = int(counts.argmax())
    return best if counts[best] > _MIN_OVERLAP * mask.sum() else None


def complete_levels(labels: LabelArray) -> set[int]:
    """Levels that no border of the volume cuts."""
    faces = np.concatenate([np.unique(labels.take([0, -1], axis=axis)) for axis in range(3)])
    return set(np.unique(labels).tolist()) - set(faces.tolist()) - {0, SACRUM}


def true_count(labels: LabelArray) -> int:
    return len(complete_levels(labels))


def line(result: Judged) -> str:
    right = sum(v.right for v in result.vertebrae)
    sure = max((v.confidence for v in result.vertebrae), default=0.0)
    anchor = "anchor" if result.anchored else "no anchor"
    return (
        f"{result.view}: {right} of {len(result.vertebrae)} right, {result.missed} missed, "
        f"Dice {result.dice:.3f}, {anchor}, confidence up to {sure:.2f}"
    )


def report(results: list[Judged]) -> None:
    for group in sorted({r.group for r in results}):
        for anchored in (True, False):
            rows = [r for r in results if r.group == group and r.anchored is anchored]
            named = [v for r in rows for v in r.vertebrae]
            if not rows:
                continue
            total = len(named) + sum(r.missed for r in rows)
            right = sum(v.right for v in named)
            dice = np.mean([r.dice for r in rows])
            kind = "with an anchor" if anchored else "without an anchor"
            print(
                f"{group}, {kind}: {len(rows)} views, {right} of {total} vertebrae named right "
                f"({100 * right / max(1, total):.1f} %), mean Dice {dice:.3f}"
            )
    figures = reliability(v for r in results for v in r.vertebrae)
    print(f"expected calibration error {figures['expected_calibration_error']:.3f}")
    for row in figures["bins"]:
        if row["vertebrae"]:
            held = row["fraction_right"]["value"]
            print(
                f"  confidence {row['above']:.2f}-{row['to']:.2f}: {row['vertebrae']:4d} "
                f"vertebrae, mean {row['mean_confidence']:.2f}, right {held:.2f}"
            )
    wrong = figures["wrong_among_confident"]
    print(f"wrong among confidence > {figures['confident_above']}: {wrong}")


def draw(results: list[Judged], out: Path) -> None:
    figures = reliability(v for r in results for v in r.vertebrae)
    rows = [row for row in figures["bins"] if row["vertebrae"]]
    figure = Figure(figsize=(4.2, 4.2), layout="constrained")
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1)
    said = [row["mean_confidence"] for row in rows]
    held = [row["fraction_right"]["value"] for row in rows]
    low = [h - row["fraction_right"]["low"] for h, row in zip(held, rows, strict=True)]
    high = [row["fraction_right"]["high"] - h for h, row in zip(held, rows, strict=True)]
    axes.errorbar(said, held, yerr=[low, high], fmt="o", color="#0b5394", capsize=3)
    for x, y, below, row in zip(said, held, low, rows, strict=True):
        place = {"textcoords": "offset points", "xytext": (0, -11), "ha": "center", "fontsize": 8}
        axes.annotate(str(row["vertebrae"]), (x, y - below), **place)
    axes.set(xlim=(0, 1.03), ylim=(0, 1.03), xlabel="confidence", ylabel="share of names right")
    axes.set_title("Level names: reliability (95 % intervals)", fontsize=10)
    FigureCanvasAgg(figure).print_png(str(out))


if __name__ == "__main__":
    main()
