"""The evaluation as a Markdown table that also reads well in a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from inference.evaluation.intervals import Estimate

NONE = "–"


def table(evaluation: dict[str, Any]) -> str:
    """Text of ``evaluation.md``."""
    summary = evaluation["summary"]
    parts = [
        _heading(evaluation, summary["cases"]),
        _main_figures(summary),
        _confusion(summary["fractures"]),
        _reliability(summary["reliability"]),
        _levels(summary["by_level"]),
        _cases(evaluation["cases"]),
        _remarks(evaluation["cases"]),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _heading(evaluation: dict[str, Any], cases: dict[str, int]) -> str:
    model = evaluation["model"]
    return (
        f"# Evaluation of {model['name']} {model['version']}\n\n"
        f"{cases['evaluated']} cases compared, {cases['not_analysable']} refused by the product"
        f" (their vertebrae count as missed), {cases['failed']} could not be read."
        " Intervals are 95 % confidence intervals."
    )


def _main_figures(summary: dict[str, Any]) -> str:
    rows: list[tuple[str, str]] = []
    if overlap := summary["overlap"]:
        rows += [
            (
                "Dice per vertebra, mean",
                f"{_number(overlap['dice'], 3)} (n {overlap['vertebrae']})",
            ),
            ("Body Dice, mean", _number(overlap["body_dice"], 3)),
            (
                "95 % Hausdorff distance, mean",
                f"{_millimetres(overlap['hausdorff95_mm'])}"
                f" ({overlap['without_hausdorff']} vertebrae not found under their name)",
            ),
        ]
        rows += [
            ("Dice whatever the name, mean", _number(overlap["dice_any_name"], 3)),
            ("Body Dice whatever the name, mean", _number(overlap["body_dice_any_name"], 3)),
            (
                "95 % Hausdorff distance whatever the name, mean",
                _millimetres(overlap["hausdorff95_any_name_mm"]),
            ),
        ]
    if places := summary["identification"]:
        shifts = ", ".join(f"{name}: {count}" for name, count in places["level_shift"].items())
        rows += [
            ("Identification rate (20 mm)", _share(places["identification_rate"])),
            ("Localisation error, same name, mean", _millimetres(places["localisation_error_mm"])),
            ("Centre error, whatever the name, mean", _millimetres(places["centre_error_mm"])),
            ("Level shift", shifts),
            ("Missed / invented", f"{places['missed']} / {places['invented']}"),
            ("Cut vertebrae that the truth does not list", str(places["extra_partial"])),
        ]
    if fractures := summary["fractures"]:
        rows += [
            ("Fracture sensitivity", _share(fractures["sensitivity"])),
            ("Sensitivity, grade 2 and 3", _share(fractures["sensitivity_grade_2_3"])),
            ("Found fractures under the right name", _share(fractures["right_name"])),
            ("Fracture specificity", _share(fractures["specificity"])),
            (
                "False positives per patient",
                _rate(fractures["false_positives_per_patient"]),
            ),
            ("Grade exact", _share(fractures["grade_exact"])),
        ]
    return _grid(("figure", "value"), rows) if rows else "No truth to compare with."


def _confusion(fractures: dict[str, Any] | None) -> str:
    if fractures is None:
        return ""
    head = ("true grade", "found 0", "1", "2", "3", "not graded", "missed")
    columns = (fractures["genant_confusion"], fractures["not_graded"], fractures["missed"])
    rows = [
        (str(grade), *map(str, found), str(ungraded), str(missed))
        for grade, (found, ungraded, missed) in enumerate(zip(*columns, strict=True))
    ]
    return "## Genant grades\n\n" + _grid(head, rows)


def _reliability(figures: dict[str, Any] | None) -> str:
    bins = [] if figures is None else [row for row in figures["bins"] if row["vertebrae"]]
    if figures is None or not bins:
        return ""
    rows = [
        (
            f"{row['above']:g} to {row['to']:g}",
            str(row["vertebrae"]),
            _number(row["mean_confidence"], 3),
            _share(row["fraction_right"]),
        )
        for row in bins
    ]
    wrong = figures["wrong_among_confident"]
    note = (
        f"Expected calibration error {_number(figures['expected_calibration_error'], 3)};"
        f" wrong names above {figures['confident_above']:g}: {wrong['hits']} of {wrong['of']}."
    )
    head = ("confidence", "vertebrae", "mean", "right name")
    return "## Confidence of level names\n\n" + _grid(head, rows) + "\n\n" + note


def _levels(by_level: list[dict[str, Any]]) -> str:
    if not by_level:
        return ""
    head = ("level", "n", "Dice", "body Dice", "HD95 mm", "identified", "localisation mm")
    rows = [
        (
            row["label"],
            str(row["vertebrae"]),
            _number(row["dice"], 3),
            _number(row["body_dice"], 3),
            _number(row["hausdorff95_mm"], 1),
            _hits(row["identified"]),
            _number(row["localisation_error_mm"], 1),
        )
        for row in by_level
    ]
    return "## Levels\n\n" + _grid(head, rows)


def _cases(cases: list[dict[str, Any]]) -> str:
    head = ("case", "status", "Dice", "HD95 mm", "identified", "localisation mm", "invented", "FP")
    rows = []
    for case in cases:
        overlap, places = case["overlap"] or {}, case["identification"] or {}
        fractures = case["fractures"] or {}
        positives = fractures.get("false_positives_per_patient")
        rows.append(
            (
                case["name"],
                case["status"],
                _number(overlap.get("dice"), 3),
                _number(overlap.get("hausdorff95_mm"), 1),
                _hits(places.get("identification_rate")),
                _number(places.get("localisation_error_mm"), 1),
                str(places["invented"]) if places else NONE,
                NONE if positives is None else str(positives["hits"]),
            )
        )
    return "## Cases\n\n" + _grid(head, rows)


def _remarks(cases: list[dict[str, Any]]) -> str:
    lines = []
    for case in cases:
        remarks = [case["reason"]] if case["reason"] else []
        remarks += case["absent"]
        if case["graded_but_not_located"]:
            levels = ", ".join(case["graded_but_not_located"])
            remarks.append(f"graded but not located in the truth, left out: {levels}")
        lines += [f"- {case['name']}: {remark}" for remark in remarks]
    return "## Remarks\n\n" + "\n".join(lines) if lines else ""


def _grid(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [tuple(head), *map(tuple, rows)]
    widths = [max(len(line[n]) for line in lines) for n in range(len(head))]
    padded = [[cell.ljust(w) for cell, w in zip(line, widths, strict=True)] for line in lines]
    padded.insert(1, ["-" * width for width in widths])
    return "\n".join(f"| {' | '.join(cells)} |" for cells in padded)


def _number(value: float | None, digits: int) -> str:
    return NONE if value is None else f"{value:.{digits}f}"


def _millimetres(value: float | None) -> str:
    return NONE if value is None else f"{value:.1f} mm"


def _hits(estimate: Estimate | None) -> str:
    return NONE if not estimate or not estimate["of"] else f"{estimate['hits']}/{estimate['of']}"


def _share(estimate: Estimate) -> str:
    if estimate["value"] is None:
        return "nothing to count"
    bounds = f"{estimate['low']:.1%} to {estimate['high']:.1%}"
    return f"{estimate['value']:.1%} ({bounds}; {estimate['hits']} of {estimate['of']})"


def _rate(estimate: Estimate) -> str:
    if estimate["value"] is None:
        return "nothing to count"
    bounds = f"{estimate['low']:.2f} to {estimate['high']:.2f}"
    return f"{estimate['value']:.2f} ({bounds}; {estimate['hits']} in {estimate['of']})"
