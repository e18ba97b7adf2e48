"""The overview picture: spine in two views, levels named, flagged levels first, and the numbers."""

from __future__ import annotations

from sr_writer import palette, wording
from sr_writer.drawing import FOREGROUND, MUTED, Page, RGBArray
from sr_writer.findings_schema import Findings, VertebraFindings
from sr_writer.panels import Box, Panels, draw_panels, panels_size

_MOST_PANELS = (954, 904)
"""Largest width and height of the two views, in pixels."""

_TABLE_WIDTH = 590
_LEAST_WIDTH = 1200
_MARGIN = 28
_TOP = 110
_BOTTOM = 82
_ROW = 31.0
_HEAD_ROW = 24.0
_DENSITY_LINES = 150.0

_COLUMNS = ((0, "Level"), (62, "Height loss"), (170, "Heights A / M / P"), (334, "Density"),
            (426, "Remark"))  # fmt: skip
_UNITS = ((62, "%"), (170, "mm"), (334, "mg/cm3"))
_REMARK_CHARACTERS = 17

_REPORT_WIDE, _REPORT_TALL = (900, 620), (560, 1100)
"""Largest width and height of the two views in the report, for short and for long spines."""


def draw_overview(findings: Findings, panels: Panels, notice: str = "") -> RGBArray:
    """Return the picture of an analysed study, uint8 (rows, columns, 3).

    `notice` stands in the upper right corner: that an earlier picture is superseded.
    """
    panels_width, panels_height = panels_size(panels, *_MOST_PANELS)
    table_height = _HEAD_ROW + _ROW * len(findings.vertebrae) + _DENSITY_LINES
    height = round(max(panels_height, min(table_height, _MOST_PANELS[1])))
    width = max(panels_width + _TABLE_WIDTH + 3 * _MARGIN, _LEAST_WIDTH)
    page = Page(width, _TOP + height + _BOTTOM)
    _draw_title(page, findings)
    _draw_notice(page, notice)
    draw_panels(page, Box(_MARGIN, _TOP, panels_width, height), panels, findings)
    _draw_table(page, findings)
    _draw_footer(page, findings)
    page.text(
        (page.width - _MARGIN, page.height - 15),
        "A / M / P: anterior, middle, posterior. Height loss: smallest against reference height",
        13, MUTED, ha="right",
    )  # fmt: skip
    return page.rgb()


def draw_views(findings: Findings, panels: Panels) -> RGBArray:
    """Return the two views without table and text around them, for the report."""
    rows, columns = panels.sagittal.hu.shape
    is_short = columns + panels.coronal.hu.shape[1] > 0.75 * rows
    width, height = panels_size(panels, *(_REPORT_WIDE if is_short else _REPORT_TALL))
    page = Page(width, height)
    draw_panels(page, Box(0, 0, width, height), panels, findings)
    return page.rgb()


def draw_not_analysable(findings: Findings, notice: str = "") -> RGBArray:
    """Return a picture that says that, and why, there is no result."""
    page = Page(1600, 560)
    page.text((_MARGIN, 70), "Spine CT: not analysed", 40, palette.ORANGE, weight="bold")
    _draw_notice(page, notice)
    y = 140.0
    for reason in findings.reasons:
        y = page.paragraph((_MARGIN, y), reason.text, 95, 24, FOREGROUND) + 14
    page.paragraph((_MARGIN, y + 10), wording.NOTHING_MADE, 95, 20, MUTED)
    _draw_footer(page, findings)
    return page.rgb()


def _draw_title(page: Page, findings: Findings) -> None:
    page.text((_MARGIN, 40), "Spine CT overview", 26, weight="bold")
    colour = palette.FLAGGED if findings.flagged else FOREGROUND
    characters = round((page.width - 2 * _MARGIN) / (0.58 * 19))
    page.paragraph((_MARGIN, 72), _headline(findings), characters, 19, colour)


def _draw_notice(page: Page, notice: str) -> None:
    page.text((page.width - _MARGIN, 38), notice, 15, palette.YELLOW, ha="right")


def _headline(findings: Findings) -> str:
    """Return the conclusion, shortened where many levels are flagged: the table has the rest."""
    if len(findings.flagged) <= 3:
        return wording.conclusion(findings)
    named = ", ".join(vertebra.label for vertebra in findings.flagged)
    return f"Suspected vertebral fractures: {named}."


def _draw_table(page: Page, findings: Findings) -> None:
    left = page.width - _TABLE_WIDTH - _MARGIN + 10
    y = float(_TOP + 14)
    for offset, title in _COLUMNS:
        page.text((left + offset, y), title, 14, MUTED, weight="bold")
    for offset, unit in _UNITS:
        page.text((left + offset, y + 17), unit, 12, MUTED)
    y += _HEAD_ROW
    page.line((left, y), (page.width - _MARGIN, y), MUTED)
    free = page.height - _BOTTOM - y - _DENSITY_LINES + _HEAD_ROW
    step = min(_ROW, free / max(len(findings.vertebrae), 1))
    for vertebra in findings.vertebrae:
        y += step
        _draw_row(page, (left, y - 0.28 * step), vertebra)
    y += 12
    page.line((left, y), (page.width - _MARGIN, y), MUTED)
    y = page.paragraph((left, y + 24), wording.spine_density(findings.spine), 68, 15, FOREGROUND)
    y = page.paragraph((left, y + 6), wording.level_confidence(findings), 68, 15, FOREGROUND)
    page.text((left, y + 6), wording.loss_footnote(findings), 13, MUTED)


def _draw_row(page: Page, position: tuple[float, float], vertebra: VertebraFindings) -> None:
    left, y = position
    colour = palette.FLAGGED if vertebra.fractured else FOREGROUND
    weight = "bold" if vertebra.fractured else "normal"
    heights = vertebra.heights_mm
    values = (heights.anterior, heights.middle, heights.posterior)
    cells = (
        vertebra.label,
        wording.loss_text(vertebra),
        " / ".join(wording.number(v, 1) for v in values) if values[0] is not None else "n/a",
        wording.number(vertebra.bmd_mg_cm3, 1),
        _remark(vertebra),
    )
    for (offset, _), cell in zip(_COLUMNS, cells, strict=True):
        page.text((left + offset, y), cell, 15, colour, weight=weight)


def _remark(vertebra: VertebraFindings) -> str:
    if vertebra.fractured:
        words = f"{vertebra.genant.type} grade {vertebra.genant.grade}"
    elif not vertebra.complete:
        words = "cut by edge"
    else:
        words = wording.remark(vertebra)
    if len(words) > _REMARK_CHARACTERS:
        words = words[: _REMARK_CHARACTERS - 1].rstrip() + "…"
    return words


def _draw_footer(page: Page, findings: Findings) -> None:
    page.text((_MARGIN, page.height - 40), wording.RESEARCH_USE, 22, palette.YELLOW, weight="bold")
    page.text((_MARGIN, page.height - 15), wording.model_text(findings), 14, MUTED)
