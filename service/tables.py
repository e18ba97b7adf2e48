"""Plain-text tables for the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from service.job_views import JobView
    from sr_writer import Findings


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as their widest cell; numbers are right-aligned."""
    widths = [max(len(row[c]) for row in [header, *rows]) for c in range(len(header))]
    lines = [_line(header, widths), "  ".join("-" * width for width in widths)]
    return "\n".join([*lines, *(_line(row, widths) for row in rows)])


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    parts = [
        cell.rjust(width) if _is_number(cell) else cell.ljust(width)
        for cell, width in zip(cells, widths, strict=True)
    ]
    return "  ".join(parts).rstrip()


def _is_number(cell: str) -> bool:
    return cell.replace(".", "", 1).replace("-", "", 1).isdigit()


def levels_table(findings: Findings) -> str:
    """One row per vertebra: what a person wants to see first."""
    header = (
        "level", "complete", "conf", "ant mm", "mid mm", "post mm",
        "loss %", "Genant", "HU", "BMD", "entropy",
    )  # fmt: skip
    rows = []
    document: dict[str, Any] = findings.to_json()
    for entry in document["vertebrae"]:
        heights = entry["heights_mm"] or {}
        genant = entry["genant"] or {}
        grade = genant.get("grade")
        rows.append(
            (
                str(entry["label"]),
                "yes" if entry["complete"] else "cut",
                _number(entry["confidence"], 2),
                _number(heights.get("anterior"), 1),
                _number(heights.get("middle"), 1),
                _number(heights.get("posterior"), 1),
                _number(_percent(entry["height_loss"]), 0),
                "-" if grade is None else f"{grade} {genant['type']}" if grade else "0",
                _number((entry["hu"] or {}).get("mean"), 0),
                _number(entry["bmd_mg_cm3"], 0),
                _number((entry["features"] or {}).get("entropy"), 2),
            )
        )
    return table(header, rows)


def _percent(fraction: float | None) -> float | None:
    return None if fraction is None else 100 * fraction


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def jobs_table(views: Sequence[JobView], waiting: int = 0) -> str:
    """One row per job; below, how many series wait for their study and which were left out, why."""
    jobs = [view for view in views if view.state != "left_out"]
    left_out = [view for view in views if view.state == "left_out"]
    parts = [_queue_table(jobs) if jobs else "no jobs"]
    if waiting:
        parts.append(f"complete series that wait for the rest of their study: {waiting}")
    if left_out:
        rows = [(v.id, _count(v.instances), v.created, v.problem or "-") for v in left_out]
        parts.append("left out\n" + table(("id", "images", "complete", "reason"), rows))
    return "\n\n".join(parts)


def _queue_table(views: Sequence[JobView]) -> str:
    rows = [
        (
            view.id,
            view.state,
            view.step or "-",
            _count(view.instances),
            view.priority,
            ", ".join(f"{d.destination}: {d.state}" for d in view.deliveries) or "-",
            view.created,
        )
        for view in views
    ]
    return table(("id", "state", "step", "images", "priority", "deliveries", "created"), rows)


def _count(number: int | None) -> str:
    return "-" if number is None else str(number)


def job_text(view: JobView) -> str:
    """Everything about one job."""
    lines = [
        f"job      {view.id}",
        f"state    {view.state}" + (f" ({view.step})" if view.step else ""),
        f"series   {view.SeriesInstanceUID or '-'}",
        f"images   {_count(view.instances)}",
        f"priority {view.priority}",
        f"created  {view.created}",
    ]
    if view.problem:
        lines.append(f"problem  {view.problem}")
    lines += [f"remark   {remark}" for remark in view.remarks]
    lines += [f"step     {s.name:<9} {s.started}  {s.seconds:8.2f} s" for s in view.steps]
    lines += [
        f"deliver  {d.destination}: {d.state}, {d.attempts} attempt(s)"
        + (f", {d.problem}" if d.problem else "")
        + (f"; {d.note}" if d.note else "")
        for d in view.deliveries
    ]
    return "\n".join(lines)
