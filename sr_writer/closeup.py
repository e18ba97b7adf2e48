"""The close-up of one flagged level: its body from the side and the front, heights drawn in."""

from __future__ import annotations

import numpy as np
from contourpy import LineType, contour_generator
from matplotlib.collections import LineCollection

from sr_writer import palette, wording
from sr_writer.closeup_view import CloseUp, HeightLine, Section
from sr_writer.drawing import FOREGROUND, MUTED, Page, RGBArray
from sr_writer.findings_schema import Findings
from sr_writer.panels import WINDOW_HU, Box, draw_letters, draw_scale_bar

_SIDE = 600.0
_MARGIN = 36.0
_TOP = 128.0
_BOTTOM = 178.0
_LABEL_GAP = 40.0
_LINE = 2.6
_CHARACTERS = 118


def draw_close_up(view: CloseUp, findings: Findings) -> RGBArray:
    """Return the picture of one flagged level, uint8 (rows, columns, 3)."""
    page = Page(round(2 * _SIDE + 3 * _MARGIN), round(_TOP + _SIDE + _BOTTOM))
    vertebra = view.vertebra
    page.text((_MARGIN, 48), vertebra.label, 40, palette.FLAGGED, weight="bold")
    words = f"suspected fracture: {wording.grade_text(vertebra)}"
    page.text((_MARGIN + 100, 48), words, 24, FOREGROUND, weight="bold")
    page.text((_MARGIN, 82), "Along the axes of the vertebral body", 16, MUTED)
    side = Box(_MARGIN, _TOP, _SIDE, _SIDE)
    front = Box(2 * _MARGIN + _SIDE, _TOP, _SIDE, _SIDE)
    for place, section in ((side, view.sagittal), (front, view.coronal)):
        _draw_section(page, place, section)
        draw_letters(page, place, section.letters)
        draw_scale_bar(page, place, view.side_mm / _SIDE)
    _draw_heights(page, side, view.lines)
    _draw_heights(page, front, tuple(_in_front(line) for line in view.lines
                                     if line.name == "middle"))  # fmt: skip
    _draw_words(page, view, findings)
    return page.rgb()


def _draw_section(page: Page, place: Box, section: Section) -> None:
    axes = page.axes(place.left, place.top, place.width, place.height)
    low, high = WINDOW_HU
    axes.imshow(section.hu, cmap="gray", vmin=low, vmax=high, interpolation="bilinear")
    lines = contour_generator(z=section.distance_mm, line_type=LineType.Separate).lines(0.0)
    outline = [np.asarray(line, dtype=np.float64) for line in lines]
    collection = LineCollection(outline, colors=palette.FLAGGED, linewidths=1.6)
    axes.add_collection(collection, autolim=False)
    rows, columns = section.hu.shape
    axes.set_xlim(-0.5, columns - 0.5)
    axes.set_ylim(rows - 0.5, -0.5)


def _in_front(line: HeightLine) -> HeightLine:
    """The middle height, seen from the front: it lies in the middle of the body."""
    return HeightLine(line.name, line.height_mm, 0.5, line.top, line.bottom)


def _draw_heights(page: Page, place: Box, lines: tuple[HeightLine, ...]) -> None:
    """Each height as a line of its true length, its value above the highest of them."""
    if not lines:
        return
    row = place.top + min(line.top for line in lines) * place.height - _LABEL_GAP
    for line in lines:
        x = place.left + line.across * place.width
        top = place.top + line.top * place.height
        bottom = place.top + line.bottom * place.height
        page.line((x, row + 20), (x, top), palette.YELLOW, 0.8)
        page.line((x, top), (x, bottom), palette.YELLOW, _LINE)
        for y in (top, bottom):
            page.line((x - 9, y), (x + 9, y), palette.YELLOW, _LINE)
        words = f"{line.name[0].upper()}\n{line.height_mm:.1f} mm"
        page.label((x, row), words, 14, palette.YELLOW)


def _draw_words(page: Page, view: CloseUp, findings: Findings) -> None:
    vertebra, heights = view.vertebra, view.vertebra.heights_mm
    y = _TOP + _SIDE + 54
    page.text(
        (_MARGIN, y),
        f"Heights in mm: anterior (A) {wording.number(heights.anterior, 1)}, "
        f"middle (M) {wording.number(heights.middle, 1)}, "
        f"posterior (P) {wording.number(heights.posterior, 1)}",
        18,
    )
    page.paragraph((_MARGIN, y + 28), vertebra.fracture_sentence, _CHARACTERS, 17, FOREGROUND)
    page.text((_MARGIN, page.height - 40), wording.RESEARCH_USE, 22, palette.YELLOW, weight="bold")
    page.text((_MARGIN, page.height - 15), wording.model_text(findings), 14, MUTED)
