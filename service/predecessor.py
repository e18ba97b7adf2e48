"""Which earlier result of a series a new one replaces, and whether the earlier still goes out.

A late slice makes another job of the series. Its report names the report it replaces, if an archive
has that one; what was not sent yet is not sent any more once its successor has results.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from service.request import Request, read_request
from service.workspace import Workspace
from sr_writer import PredecessorObject, WrittenObject

_REPORTS = ("sr", "narrative")
"""Kinds that a report can replace, the best first; a refusal has only the second."""

Arrived = Callable[[WrittenObject], bool]


def find_predecessor(folder: Path, request: Request, arrived: Arrived) -> PredecessorObject | None:
    """The latest earlier report of the series that some archive has.

    Parameters
    ----------
    folder
        Holds one workspace per job.
    arrived
        Whether an object reached any archive.
    """
    for job_id in request.supersedes:
        report = _report(folder / job_id)
        if report is not None and arrived(report):
            return PredecessorObject(
                report.SOPClassUID,
                report.SOPInstanceUID,
                report.SeriesInstanceUID,
                _reason(read_request(folder / job_id), request),
            )
    return None


def successor_with_results(folder: Path, job_id: str) -> str:
    """The later job that measured the series again, or an empty text."""
    successor = Workspace(folder / job_id).superseded_by()
    if not successor or not (folder / successor / "results" / "findings.json").is_file():
        return ""
    later = Workspace(folder / successor)
    # What was measured is not held back for an answer that says only why nothing was measured.
    measured = later.findings().status == "analysed" and not later.withheld()
    return successor if measured else ""


def _report(folder: Path) -> WrittenObject | None:
    if not (folder / "written.json").is_file():
        return None
    written = {each.kind: each for each in Workspace(folder).written()}
    return next((written[kind] for kind in _REPORTS if kind in written), None)


def _reason(earlier: Request, later: Request) -> str:
    before, now = set(earlier.files), set(later.files)
    if before == now:
        return "analysed again with another model or configuration"
    if before < now:
        more = len(now - before)
        return f"{more} more image{'s' if more > 1 else ''} arrived"
    return "images arrived again with other content"
