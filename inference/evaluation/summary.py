"""Figures of one case and of all cases as JSON values: numbers or null."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

from inference.anatomy import VertebraLevel
from inference.evaluation.case import EVALUATED, FAILED, REFUSED, CaseResult
from inference.evaluation.grading import FRACTURED_FROM, CaseGrading, GradedVertebra, is_fracture
from inference.evaluation.identification import Identification, Placement
from inference.evaluation.intervals import rate, share
from inference.evaluation.overlap import VertebraOverlap
from inference.evaluation.reliability import reliability

GRADES = (0, 1, 2, 3)
MODERATE = 2
SHIFTS = (-2, -1, 0, 1, 2)


def summarise(cases: Sequence[CaseResult]) -> dict[str, Any]:
    """Figures over all vertebrae of all cases that could be compared."""
    counted = [case for case in cases if case.status != FAILED]
    overlaps = [case.overlap for case in counted if case.overlap is not None]
    places = [case.places for case in counted if case.places is not None]
    gradings = [case.grading for case in counted if case.grading is not None]
    names = chain.from_iterable(case.names for case in counted)
    status = Counter(case.status for case in cases)
    return {
        "cases": {name: status[name] for name in (EVALUATED, REFUSED, FAILED)},
        "overlap": overlap_figures(overlaps),
        "identification": identification_figures(places),
        "fractures": fracture_figures(gradings),
        "reliability": reliability(names) if places else None,
        "by_level": _by_level(overlaps, places),
    }


def overlap_figures(overlaps: Sequence[Iterable[VertebraOverlap]]) -> dict[str, Any] | None:
    """Means over vertebrae; None if no case has a mask."""
    if not overlaps:
        return None
    rows = list(chain.from_iterable(overlaps))
    return {
        "cases": len(overlaps),
        "vertebrae": len(rows),
        "dice": mean(row.same_name.dice for row in rows),
        "body_dice": mean(row.same_name.body_dice for row in rows),
        "hausdorff95_mm": mean(row.same_name.hausdorff95_mm for row in rows),
        "without_hausdorff": sum(row.same_name.hausdorff95_mm is None for row in rows),
        "dice_any_name": mean(row.any_name.dice for row in rows),
        "body_dice_any_name": mean(row.any_name.body_dice for row in rows),
        "hausdorff95_any_name_mm": mean(row.any_name.hausdorff95_mm for row in rows),
    }


def identification_figures(places: Sequence[Identification]) -> dict[str, Any] | None:
    """Rates and errors over vertebrae; None if no case has centres."""
    if not places:
        return None
    rows = [row for case in places for row in case.vertebrae]
    return {
        "cases": len(places),
        "identification_rate": share(sum(row.identified for row in rows), len(rows)),
        "identification_rate_mean_of_cases": mean(
            share(sum(row.identified for row in case.vertebrae), len(case.vertebrae))["value"]
            for case in places
        ),
        "localisation_error_mm": mean(row.localisation_error_mm for row in rows),
        "centre_error_mm": mean(row.centre_error_mm for row in rows),
        "level_shift": _shifts(rows),
        "missed": sum(row.matched is None for row in rows),
        "invented": sum(len(case.invented) for case in places),
        "extra_partial": sum(len(case.extra_partial) for case in places),
    }


def fracture_figures(gradings: Sequence[CaseGrading]) -> dict[str, Any] | None:
    """Confusion, sensitivity, specificity, false positives; None if no case has grades."""
    if not gradings:
        return None
    rows = [row for case in gradings for row in case.vertebrae]
    fractured = [row for row in rows if row.true_grade >= FRACTURED_FROM]
    hits = [row for row in fractured if is_fracture(row.found_grade)]
    moderate = [row for row in rows if row.true_grade >= MODERATE]
    healthy = [r for r in rows if r.true_grade < FRACTURED_FROM and r.found_grade is not None]
    graded = [row for row in rows if row.found_grade is not None]
    return {
        "patients": len(gradings),
        "genant_confusion": [
            [sum(r.true_grade == t and r.found_grade == f for r in rows) for f in GRADES]
            for t in GRADES
        ],
        "not_graded": [_count(rows, t, was_matched=True) for t in GRADES],
        "missed": [_count(rows, t, was_matched=False) for t in GRADES],
        "grade_exact": share(sum(r.true_grade == r.found_grade for r in graded), len(graded)),
        "sensitivity": share(len(hits), len(fractured)),
        "sensitivity_grade_2_3": share(
            sum(is_fracture(row.found_grade) for row in moderate), len(moderate)
        ),
        "right_name": share(sum(row.matched is row.level for row in hits), len(hits)),
        "specificity": share(sum(not is_fracture(r.found_grade) for r in healthy), len(healthy)),
        "false_positives_per_patient": rate(
            sum(case.false_positives for case in gradings), len(gradings)
        ),
        "invented_fractures": sum(case.invented_fractures for case in gradings),
        "unjudged_fractures": sum(case.unjudged_fractures for case in gradings),
    }


def mean(values: Iterable[float | None]) -> float | None:
    """Mean of the values that exist."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _shifts(rows: Sequence[Placement]) -> dict[str, int]:
    found = Counter(row.shift for row in rows if row.shift is not None)
    table = {f"{shift:+d}" if shift else "0": found[shift] for shift in SHIFTS}
    return {**table, "beyond": sum(n for shift, n in found.items() if shift not in SHIFTS)}


def _count(rows: Sequence[GradedVertebra], grade: int, *, was_matched: bool) -> int:
    without = [row for row in rows if row.true_grade == grade and row.found_grade is None]
    return sum((row.matched is not None) == was_matched for row in without)


def _by_level(
    overlaps: Sequence[Iterable[VertebraOverlap]], places: Sequence[Identification]
) -> list[dict[str, Any]]:
    table = []
    for level in VertebraLevel.ordered():
        masks = [row for case in overlaps for row in case if row.level is level]
        centres = [row for case in places for row in case.vertebrae if row.level is level]
        if not masks and not centres:
            continue
        table.append(
            {
                "label": level.name,
                "vertebrae": max(len(masks), len(centres)),
                "dice": mean(row.same_name.dice for row in masks),
                "body_dice": mean(row.same_name.body_dice for row in masks),
                "hausdorff95_mm": mean(row.same_name.hausdorff95_mm for row in masks),
                "identified": share(sum(row.identified for row in centres), len(centres)),
                "localisation_error_mm": mean(row.localisation_error_mm for row in centres),
            }
        )
    return table
