"""Page of the report with every length and angle of the bodies and their uncertainties."""

from __future__ import annotations

from reportlab.lib.units import mm
from reportlab.platypus import Spacer, Table
from reportlab.platypus.flowables import Flowable

from sr_writer.findings_schema import Findings, VertebraFindings
from sr_writer.pdf_style import data_table, paragraph
from sr_writer.wording import number

_HEADING = (
    "Level", "Anterior\nmm", "Middle\nmm", "Posterior\nmm", "Left\nmm", "Right\nmm",
    "Sagittal\ndegrees", "Coronal\ndegrees", "Volume\nml",
)  # fmt: skip
_WORDS = (
    "Value ± standard uncertainty, which follows from voxel size, noise and how clearly the "
    "endplate stands out; about two in three true values lie inside. Left and right: heights in "
    "the mid-coronal slab. Angles lie between the endplates, positive where the front or the left "
    "is lower."
)


def shape_section(findings: Findings) -> list[Flowable]:
    """Heights, angles and volume of every level; empty where nothing was measured."""
    rows = [_row(v) for v in findings.vertebrae if v.heights_mm.anterior is not None]
    if not rows:
        return []
    flagged = {n for n, row in enumerate(rows, start=1) if row[0] in _flagged(findings)}
    return [
        paragraph("Shape of the vertebral bodies", "heading"),
        _table([list(_HEADING), *rows], flagged),
        Spacer(1, 2 * mm),
        paragraph(_WORDS, "small"),
    ]


def _flagged(findings: Findings) -> set[str]:
    return {vertebra.label for vertebra in findings.flagged}


def _table(rows: list[list[str]], flagged: set[int]) -> Table:
    widths = [w * mm for w in (12, 21, 21, 21, 21, 21, 21, 21, 21)]
    return data_table(rows, widths, flagged, 7)


def _row(vertebra: VertebraFindings) -> list[str]:
    heights, shape = vertebra.heights_mm, vertebra.shape
    spread, lateral = shape.heights_sd_mm, shape.lateral_heights_mm
    angles, doubt = shape.endplate_angles_deg, shape.endplate_angles_sd_deg
    return [
        vertebra.label,
        _with_spread(heights.anterior, spread.anterior, 2),
        _with_spread(heights.middle, spread.middle, 2),
        _with_spread(heights.posterior, spread.posterior, 2),
        _with_spread(lateral.left, shape.lateral_heights_sd_mm.left, 2),
        _with_spread(lateral.right, shape.lateral_heights_sd_mm.right, 2),
        _with_spread(angles.sagittal, doubt.sagittal, 1),
        _with_spread(angles.coronal, doubt.coronal, 1),
        _with_spread(vertebra.volume_ml, shape.volume_sd_ml, 2),
    ]


def _with_spread(value: float | None, sd: float | None, decimals: int) -> str:
    if value is None or sd is None:
        return number(value, decimals)
    return f"{value:.{decimals}f} ± {sd:.{decimals}f}"
