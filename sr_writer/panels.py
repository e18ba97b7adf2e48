"""The sagittal and the coronal reformat side by side, on one height scale, levels named between."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from scipy import ndimage

from inference.anatomy import SACRUM_LABEL, VertebraLevel
from inference.report import Segmentation
from inference.volume import CTVolume
from sr_writer import palette
from sr_writer.drawing import FOREGROUND, MUTED, Page, spread
from sr_writer.findings_schema import Findings, VertebraFindings
from sr_writer.reformat import CORONAL, SAGITTAL, CurvedSheet, curved_sheet

WINDOW_HU = (-250.0, 950.0)
"""Grey scale of the pictures, wide enough for bone and soft tissue."""

GUTTER = 172
"""Pixels between the two panels, for the names of the levels."""

_NAME_SIZE = 15
_NAME_GAP = 17.0
_EDGE = 22
"""Pixels above and below the panels, for the letters H and F."""

_FILL_ALPHA = 0.22
_LINE, _FLAGGED_LINE = 1.1, 2.6


@dataclass(frozen=True)
class Box:
    """A rectangle of a page in pixels."""

    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True)
class Panels:
    """The two reformats of one result."""

    sagittal: CurvedSheet
    coronal: CurvedSheet


def make_panels(findings: Findings, volume: CTVolume, segmentation: Segmentation) -> Panels:
    """Sample both reformats through the body centres of the findings."""
    centroids = np.array([v.centroid_lps_mm for v in findings.vertebrae]).reshape(-1, 3)
    masks = (segmentation.labels, segmentation.bodies)
    return Panels(
        curved_sheet(volume, masks, centroids, SAGITTAL),
        curved_sheet(volume, masks, centroids, CORONAL),
    )


def panels_size(panels: Panels, width: float, height: float) -> tuple[int, int]:
    """Width and height in pixels of the panels drawn as large as fits."""
    first, second = _places(panels, Box(0, 0, width, height))
    return round(second.left + second.width + _EDGE), round(first.height + 2 * _EDGE)


def draw_panels(page: Page, box: Box, panels: Panels, findings: Findings) -> None:
    """Draw both panels into a box, from its upper left corner and as large as fits."""
    first, second = _places(panels, box)
    colours = _colours(findings, panels)
    flagged = frozenset(int(vertebra.level) for vertebra in findings.flagged)
    for sheet, place in ((panels.sagittal, first), (panels.coronal, second)):
        _draw_sheet(page, place, sheet, colours, flagged)
        _draw_letters(page, place, sheet.plane.letters)
    _draw_scale_bar(
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


def _draw_sheet(
    page: Page, place: Box, sheet: CurvedSheet, colours: dict[int, str], flagged: frozenset[int]
) -> None:
    axes = page.axes(place.left, place.top, place.width, place.height)
    low, high = WINDOW_HU
    axes.imshow(sheet.hu, cmap="gray", vmin=low, vmax=high, interpolation="bilinear", aspect="auto")
    for label in np.unique(sheet.labels):
        if label != 0:
            line_width = _FLAGGED_LINE if int(label) in flagged else _LINE
            _draw_structure(axes, sheet, int(label), colours[int(label)], line_width)
    rows, columns = sheet.hu.shape
    axes.set_xlim(-0.5, columns - 0.5)
    axes.set_ylim(rows - 0.5, -0.5)


def _draw_structure(
    axes: Axes, sheet: CurvedSheet, label: int, colour: str, line_width: float
) -> None:
    """Translucent body, and outlines of body and whole vertebra."""
    whole = sheet.labels == label
    rows, columns = ndimage.find_objects(whole.astype(np.int8))[0]
    top, left = max(rows.start - 2, 0), max(columns.start - 2, 0)
    window = (slice(top, rows.stop + 2), slice(left, columns.stop + 2))
    body = (sheet.bodies == label)[window]
    tint = np.zeros((*body.shape, 4), dtype=np.float32)
    tint[..., :3] = to_rgb(colour)
    tint[..., 3] = _FILL_ALPHA * body
    height, width = body.shape
    extent = (left - 0.5, left + width - 0.5, top + height - 0.5, top - 0.5)
    axes.imshow(tint, interpolation="nearest", aspect="auto", extent=extent)
    for mask, thickness in ((body, line_width), (whole[window], 0.6 * line_width)):
        if mask.any() and min(mask.shape) > 1:
            soft = ndimage.gaussian_filter(mask.astype(np.float32), 0.8)
            axes.contour(
                np.arange(left, left + width),
                np.arange(top, top + height),
                soft,
                levels=[0.5],
                colors=[colour],
                linewidths=[thickness],
            )


def _draw_letters(page: Page, place: Box, letters: tuple[str, str]) -> None:
    above, below = place.top - 11, place.top + place.height + 11
    middle, right = place.left + place.width / 2, place.left + place.width
    style = {"va": "center", "weight": "bold"}
    page.text((middle, above), "H", 15, MUTED, ha="center", **style)
    page.text((middle, below), "F", 15, MUTED, ha="center", **style)
    for y in (above, below):
        page.text((place.left, y), letters[0], 15, MUTED, ha="left", **style)
        page.text((right, y), letters[1], 15, MUTED, ha="right", **style)


def _draw_scale_bar(page: Page, place: Box, mm_per_pixel: float) -> None:
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
