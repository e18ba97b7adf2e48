"""``python -m inference.training.release_check``: judge weights through the whole product chain.

Voxel-wise figures (`inference.training.evaluation`) choose the best weights of a run; whether they
replace the released ones is decided here, after instances, levels and fusion on the source grid.
"""

from __future__ import annotations

import argparse
import hashlib
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from inference.anatomy import SACRUM_LABEL, VertebraLevel
from inference.errors import NotAnalysable
from inference.evaluation.overlap import dice
from inference.report import Segmentation
from inference.segmenter import Segmenter, TorchSegmenter
from inference.training.command import run_command
from inference.training.evaluation import LabelledCT, labelled_case
from inference.volume import LabelArray
from inference.weights import RELEASED, own_weights

_log = logging.getLogger("inference.training")

_MIN_REFERENCE_VOXELS = 200


def chain_report(segmentation: Segmentation, case: LabelledCT) -> dict[str, float]:
    """Figures per vertebra of the reference.

    Returns
    -------
    ``mean_dice`` (same name), ``mean_instance_dice`` (best overlap under any name),
    ``mean_body_dice``, ``named_right`` (share), ``extra`` (found vertebrae whose largest part lies
    on no reference vertebra) and the Dice of every level by name.
    """
    labels = np.where(case.judged, segmentation.labels, 0)
    reference = np.where(case.judged, case.labels, 0)
    levels = [
        VertebraLevel(label)
        for label, voxels in zip(*np.unique(reference, return_counts=True), strict=True)
        if label not in {0, SACRUM_LABEL} and voxels >= _MIN_REFERENCE_VOXELS
    ]
    named, free, bodies, right = [], [], [], 0
    report: dict[str, float] = {}
    for level in levels:
        truth = reference == level
        named.append(dice(labels == level, truth))
        best = _best_overlap(labels, truth)
        right += best == level
        free.append(dice(labels == best, truth) if best else 0.0)
        if case.bodies is not None:
            found = (segmentation.bodies == best) & case.judged if best else np.zeros_like(truth)
            bodies.append(dice(found, case.bodies & truth))
        report[level.name] = round(named[-1], 3)
    means = {
        "mean_dice": float(np.mean(named)),
        "mean_instance_dice": float(np.mean(free)),
        "mean_body_dice": float(np.mean(bodies)) if bodies else float("nan"),
        "named_right": right / max(1, len(levels)),
        "extra": float(_outside(labels, reference)),
    }
    return {name: round(value, 3) for name, value in means.items()} | report


def _best_overlap(labels: LabelArray, truth: np.ndarray) -> int:
    """Label of the vertebra that covers most of `truth`; 0 where none does."""
    counts = np.bincount(labels[truth], minlength=SACRUM_LABEL + 3)
    counts[[0, SACRUM_LABEL]] = 0
    return int(counts.argmax()) if counts.any() else 0


def _outside(labels: LabelArray, reference: LabelArray) -> int:
    found = [label for label in np.unique(labels).tolist() if label not in {0, SACRUM_LABEL}]
    return sum(int((reference[labels == label] == 0).mean() > 0.5) for label in found)


def check(segmenter: Segmenter, case: LabelledCT) -> dict[str, float]:
    """Segment a case with the product's chain; a refusal is a report of zeros."""
    try:
        segmentation = segmenter.segment(case.volume)
    except NotAnalysable as refusal:
        _log.info("%s: refused (%s)", case.name, refusal.code)
        return {"mean_dice": 0.0, "mean_instance_dice": 0.0, "named_right": 0.0}
    return chain_report(segmentation, case)


def main(arguments: Sequence[str] | None = None) -> int:
    """Log one report per case; returns the process's exit code."""
    return run_command(_report, _parser(), arguments)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m inference.training.release_check", description=__doc__
    )
    parser.add_argument("--weights", type=Path, help="safetensors; the released ones if absent")
    parser.add_argument("--data", type=Path, help="folder with labels/ and ct/")
    parser.add_argument("cases", nargs="+", help="names of cases")
    return parser


def _report(options: argparse.Namespace) -> None:
    torch.set_num_threads(1)
    cases = [labelled_case(name, options.data) for name in options.cases]
    segmenter = _segmenter(options.weights)
    for case in cases:
        _log.info("%s %s", case.name, check(segmenter, case))


def _segmenter(weights: Path | None) -> TorchSegmenter:
    if weights is None:
        return TorchSegmenter(RELEASED, device="cpu")
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    return TorchSegmenter(own_weights(weights, digest, weights.stem), device="cpu")


if __name__ == "__main__":
    sys.exit(main())
