"""The sagittal and the coronal reformat side by side, on one height scale, levels named between."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from contourpy import LineType, contour_generator
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from scipy import ndimage

from inference.anatomy import SACRUM_LABEL, VertebraLevel
from inference.report import Segmentation
from inference.volume import CTVolume, LabelArray
from sr_writer import palette
from sr_writer.drawing import FOREGROUND, MUTED, Page, spread
from sr_writer.findings_schema import Findings, VertebraFindings
from sr_writer.reformat import CORONAL, SAGITTAL, CurvedSheet, curved_sheet

Line = npt.NDArray[np.float64]

WINDOW_HU = (-250.0, 950.0)
"""Grey scale of the pictures, wide enough for bone and soft tissue."""

GUTTER = 172
"""Pixels between the two panels, for the names of the levels."""

_NAME_SIZE = 15
_NAME_GAP = 17.0
_EDGE = 22
"""Pixels above and below the panels, for the letters H and F."""

_FILL_ALPHA = 56
_PAD = 3
_LINE, _FLAGGED_LINE = 1.1, 2.6


@dataclass(frozen=True)
class Box:
    """A rectangle of a page in pixels."""

    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True)
class Outlines:
    """Lines around the structures of a sheet, closed, (n, 2) of column and row, by label."""

    bodies: dict[int, list[Line]]
    vertebrae: dict[int, list[Line]]


@dataclass(frozen=True)
class Panels:
    """The two reformats of one result, and the outlines in them."""

    sagittal: CurvedSheet
    coronal: CurvedSheet
    sagittal_outlines: Outlines
    coronal_outlines: Outlines


def make_panels(findings: Findings, volume: CTVolume, segmentation: Segmentation) -> Panels:
    """Sample both reformats through the body centres of the findings."""
    centroids = np.array([v.centroid_lps_mm for v in findings.vertebrae]).reshape(-1, 3)
    masks = (segmentation.labels, segmentation.bodies)
    sagittal = curved_sheet(volume, masks, centroids, SAGITTAL)
    coronal = curved_sheet(volume, masks, centroids, CORONAL)
    return Panels(sagittal, coronal, _outlines(sagittal), _outlines(coronal))


def panels_size(panels: Panels, width: float, height: float) -> tuple[int, int]:
    """Width and height in pixels of the panels drawn as large as fits."""
    first, second = _places(panels, Box(0, 0, width, height))
    return round(second.left + second.width + _EDGE), round(first.height + 2 * _EDGE)


def draw_panels(page: Page, box: Box, panels: Panels, findings: Findings) -> None:
    """Draw both panels into a box, from its upper left corner and as large as fits."""
    first, second = _places(panels, box)
    colours = _colours(findings, panels)
    flagged = frozenset(int(vertebra.level) for vertebra in findings.flagged)
    for sheet, outlines, place in (
        (panels.sagittal, panels.sagittal_outlines, first),
        (panels.coronal, panels.coronal_outlines, second),
    ):
        axes = _draw_sheet(page, place, sheet, colours)
        _draw_outlines(axes, outlines, colours, flagged)
        draw_letters(page, place, sheet.plane.letters)
    draw_scale_bar(
        page, first, panels.sagittal.pixel_mm * panels.sagittal.hu.shape[0] / first.height
    )
    _draw_names(page, (first, second), panels.sagittal, findings.vertebrae, colours)


def _places(panels: Panels, box: Box) -> tuple[Box, Box]:
    rows, columns = panels.sagittal.hu.shape
    coronal_columns = panels.coronal.hu.shape[1]
    free = box.width - GUTTER - 2 * _EDGE
    scale = min((box.height - 2 * _EDGE) / rows, free / (columns + coronal_columns))
    top, left = box.top + _EDGE, box.left + _EDGE
    first = Box(left, top, scale * columns, scale * rows)
    return first, Box(left + first.width + GUTTER, top, scale * coronal_columns, scale * rows)


def _colours(findings: Findings, panels: Panels) -> dict[int, str]:
    """Colour of every label: two calm ones alternate along the spine, flagged levels stand out."""
    shown = {int(v.level) for v in findings.vertebrae}
    shown |= set(np.unique(panels.sagittal.labels)) | set(np.unique(panels.coronal.labels))
    levels = sorted((VertebraLevel(v) for v in shown - {0, SACRUM_LABEL}), key=lambda v: v.rank)
    flagged = frozenset(vertebra.level for vertebra in findings.flagged)
    colours = {int(v): palette.level_colour(n, v in flagged) for n, v in enumerate(levels)}
    return {**colours, SACRUM_LABEL: palette.GREY}


def _draw_sheet(page: Page, place: Box, sheet: CurvedSheet, colours: dict[int, str]) -> Axes:
    axes = page.axes(place.left, place.top, place.width, place.height)
    rows, columns = sheet.hu.shape
    low, high = WINDOW_HU
    axes.imshow(sheet.hu, cmap="gray", vmin=low, vmax=high, interpolation="bilinear", aspect="auto")
    axes.imshow(_tint(sheet, colours), interpolation="nearest", aspect="auto")
    axes.set_xlim(-0.5, columns - 0.5)
    axes.set_ylim(rows - 0.5, -0.5)
    return axes


def _draw_outlines(
    axes: Axes, outlines: Outlines, colours: dict[int, str], flagged: frozenset[int]
) -> None:
    """Draw all at once, flagged levels over the others, bodies in a heavier line."""
    lines: list[Line] = []
    drawn: list[str] = []
    widths: list[float] = []
    for label in sorted(outlines.vertebrae, key=lambda label: label in flagged):
        width = _FLAGGED_LINE if label in flagged else _LINE
        for found, thickness in (
            (outlines.bodies.get(label, []), width),
            (outlines.vertebrae[label], 0.6 * width),
        ):
            lines += found
            drawn += [colours[label]] * len(found)
            widths += [thickness] * len(found)
    axes.add_collection(LineCollection(lines, colors=drawn, linewidths=widths), autolim=False)


def _tint(sheet: CurvedSheet, colours: dict[int, str]) -> npt.NDArray[np.uint8]:
    """Translucent bodies as RGBA."""
    table = np.zeros((256, 4), dtype=np.uint8)
    for label, colour in colours.items():
        table[label] = (*palette.rgb(colour), _FILL_ALPHA)
    return table[sheet.bodies]


def _outlines(sheet: CurvedSheet) -> Outlines:
    return Outlines(_lines_around(sheet.bodies), _lines_around(sheet.labels))


def _lines_around(labels: LabelArray) -> dict[int, list[Line]]:
    return {
        label: _outline(labels, label, box)
        for label, box in enumerate(ndimage.find_objects(labels), start=1)
        if box is not None
    }


def _outline(labels: LabelArray, label: int, box: tuple[slice, ...]) -> list[Line]:
    """Lines around one label, its pixel steps softened."""
    rows, columns = box
    part = np.pad(labels[rows, columns] == label, _PAD).astype(np.float32)
    soft = ndimage.gaussian_filter(part, 0.8)
    offset = np.array([columns.start - _PAD, rows.start - _PAD], dtype=np.float64)
    lines = contour_generator(z=soft, line_type=LineType.Separate).lines(0.5)
    return [np.asarray(line, dtype=np.float64) + offset for line in lines]


def draw_letters(page: Page, place: Box, letters: tuple[str, str]) -> None:
    """Name the four edges of a view: H above, F below, `letters` left and right."""
    above, below = place.top - 11, place.top + place.height + 11
    middle, right = place.left + place.width / 2, place.left + place.width
    style = {"va": "center", "weight": "bold"}
    page.text((middle, above), "H", 15, MUTED, ha="center", **style)
    page.text((middle, below), "F", 15, MUTED, ha="center", **style)
    for y in (above, below):
        page.text((place.left, y), letters[0], 15, MUTED, ha="left", **style)
        page.text((right, y), letters[1], 15, MUTED, ha="right", **style)


def draw_scale_bar(page: Page, place: Box, mm_per_pixel: float) -> None:
    """Draw a bar of 20 or 50 mm in the lower left corner of a view."""
    length_mm = 50 if 50 / mm_per_pixel < 0.45 * place.width else 20
    length = length_mm / mm_per_pixel
    left, y = place.left + 10, place.top + place.height - 14
    page.line((left, y), (left + length, y), FOREGROUND, 3)
    page.text((left, y - 7), f"{length_mm} mm", 13)


def _draw_names(
    page: Page,
    places: tuple[Box, Box],
    sheet: CurvedSheet,
    vertebrae: tuple[VertebraFindings, ...],
    colours: dict[int, str],
) -> None:
    """Names at the height of their bodies, moved apart where they would touch."""
    first, second = places
    scale = first.height / sheet.hu.shape[0]
    rows = {v.level: sheet.row_column(v.centroid_lps_mm)[0] for v in vertebrae}
    ordered = sorted(vertebrae, key=lambda v: rows[v.level])
    bottom = first.top + first.height
    heights = [
        min(max(first.top + (rows[v.level] + 0.5) * scale, first.top), bottom) for v in ordered
    ]
    placed = spread(heights, _NAME_GAP, first.top + 8, bottom - 8)
    left = first.left + first.width
    for vertebra, height, y in zip(ordered, heights, placed, strict=True):
        colour = colours[int(vertebra.level)]
        page.line((left, height), (left + 18, y), colour, 1)
        _draw_name(page, (left + 23, y), vertebra, colour)
        page.line((second.left - 18, y), (second.left, height), colour, 1)


def _draw_name(
    page: Page, position: tuple[float, float], vertebra: VertebraFindings, colour: str
) -> None:
    if vertebra.fractured and vertebra.height_loss_percent is not None:
        words = f"{vertebra.label}  -{vertebra.height_loss_percent:.1f} %"
        page.text(position, words, _NAME_SIZE + 2, colour, va="center", weight="bold")
        return
    words = vertebra.label if vertebra.complete else f"{vertebra.label} (cut)"
    page.text(position, words, _NAME_SIZE, FOREGROUND, va="center")
