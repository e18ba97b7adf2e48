"""One case as JSON values."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from inference.anatomy import VertebraLevel
from inference.evaluation.case import CaseResult
from inference.evaluation.summary import fracture_figures, identification_figures, overlap_figures


def case_json(case: CaseResult) -> dict[str, Any]:
    """Status, figures and one row per vertebra."""
    places = case.places
    return {
        "name": case.name,
        "status": case.status,
        "reason": case.reason,
        "absent": list(case.absent),
        "centre_of": case.centre_of,
        "overlap": None if case.overlap is None else overlap_figures([case.overlap]),
        "identification": None if places is None else identification_figures([places]),
        "fractures": None if case.grading is None else fracture_figures([case.grading]),
        "invented": [] if places is None else [level.name for level in places.invented],
        "extra_partial": [] if places is None else [level.name for level in places.extra_partial],
        "cut_in_truth": [v.name for v in sorted(case.partial, key=lambda v: v.rank)],
        "graded_but_not_located": (
            [] if case.grading is None else [level.name for level in case.grading.not_located]
        ),
        "vertebrae": sorted(_rows(case).values(), key=_rank),
    }


def _rank(row: dict[str, Any]) -> int:
    return VertebraLevel(row["verse_label"]).rank


def _rows(case: CaseResult) -> dict[VertebraLevel, dict[str, Any]]:
    rows: dict[VertebraLevel, dict[str, Any]] = {}
    for overlap in case.overlap or ():
        row = rows.setdefault(overlap.level, _named(overlap.level))
        row |= asdict(overlap.same_name)
        row["dice_any_name"] = overlap.any_name.dice
        row["body_dice_any_name"] = overlap.any_name.body_dice
        row["hausdorff95_any_name_mm"] = overlap.any_name.hausdorff95_mm
    for place in () if case.places is None else case.places.vertebrae:
        row = rows.setdefault(place.level, _named(place.level))
        row["identified"] = place.identified
        row["found_as"] = None if place.matched is None else place.matched.name
        row["shift"] = place.shift
        row["localisation_error_mm"] = place.localisation_error_mm
        row["centre_error_mm"] = place.centre_error_mm
    for graded in () if case.grading is None else case.grading.vertebrae:
        row = rows.setdefault(graded.level, _named(graded.level))
        row["true_grade"] = graded.true_grade
        row["found_grade"] = graded.found_grade
    return rows


def _named(level: VertebraLevel) -> dict[str, Any]:
    return {"label": level.name, "verse_label": int(level)}
