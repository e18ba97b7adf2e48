"""Does the confidence of a level name mean what it says?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from inference.anatomy import VertebraLevel
from inference.evaluation.identification import Identification
from inference.evaluation.intervals import share

BIN_EDGES = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0)
CONFIDENT_ABOVE = 0.9


@dataclass(frozen=True)
class NamedVertebra:
    """A found vertebra: how sure of its name, and whether the name is right."""

    level: VertebraLevel
    confidence: float
    right: bool


def judge_names(
    places: Identification, confidences: Mapping[VertebraLevel, float]
) -> tuple[NamedVertebra, ...]:
    """Pair confidence and correctness; an invented vertebra is wrong under any name.

    Vertebrae cut by the field of view that the truth does not list are left out.
    """
    matched = {row.matched: row.level for row in places.vertebrae if row.matched is not None}
    return tuple(
        NamedVertebra(level, confidence, matched.get(level) is level)
        for level, confidence in confidences.items()
        if level not in places.extra_partial
    )


def reliability(vertebrae: Iterable[NamedVertebra]) -> dict[str, Any]:
    """Bins of confidence, the expected calibration error, and confident mistakes.

    The calibration error is the mean over vertebrae of the absolute difference between a bin's
    mean confidence and its fraction of right names (Guo et al., ICML 2017).
    """
    named = list(vertebrae)
    bins = [_bin(named, low, high) for low, high in pairwise(BIN_EDGES)]
    gaps = [
        row["vertebrae"] * abs(row["mean_confidence"] - row["fraction_right"]["value"])
        for row in bins
        if row["vertebrae"]
    ]
    confident = [v for v in named if v.confidence > CONFIDENT_ABOVE]
    return {
        "bins": bins,
        "expected_calibration_error": sum(gaps) / len(named) if named else None,
        "confident_above": CONFIDENT_ABOVE,
        "wrong_among_confident": share(sum(not v.right for v in confident), len(confident)),
    }


def _bin(named: Sequence[NamedVertebra], low: float, high: float) -> dict[str, Any]:
    """Vertebrae with ``low < confidence <= high``; the first bin holds 0 too."""
    inside = [v for v in named if low < v.confidence <= high or v.confidence == low == 0.0]
    mean = sum(v.confidence for v in inside) / len(inside) if inside else None
    return {
        "above": low,
        "to": high,
        "vertebrae": len(inside),
        "mean_confidence": mean,
        "fraction_right": share(sum(v.right for v in inside), len(inside)),
    }
