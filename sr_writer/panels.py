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

GUTTER = 168
"""Pixels between the two panels, for the names of the levels."""

_NAME_SIZE = 15
_NAME_GAP = 17.0
_EDGE = 22
"""Pixels above and below the panels, for the letters H and F."""

_FILL_ALPHA = 0.22


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


def draw_panels(page: Page, box: Box, panels: Panels, findings: Findings) -> Box:
    """Draw both panels into a box, as large as fits; return the rectangle used."""
    sagittal, coronal = panels.sagittal, panels.coronal
    rows = sagittal.hu.shape[0]
    columns = sagittal.hu.shape[1] + coronal.hu.shape[1]
    scale = min((box.height - 2 * _EDGE) / rows, (box.width - GUTTER - 2 * _EDGE) / columns)
    top = box.top + _EDGE
    left = box.left + _EDGE
    first = Box(left, top, scale * sagittal.hu.shape[1], scale * rows)
    second = Box(left + first.width + GUTTER, top, scale * coronal.hu.shape[1], scale * rows)
    flagged = frozenset(vertebra.level for vertebra in findings.flagged)
    for sheet, place in ((sagittal, first), (coronal, second)):
        _draw_sheet(page, place, sheet, flagged)
        _draw_letters(page, place, sheet.plane.letters)
    _draw_scale_bar(page, first, sagittal.pixel_mm / scale)
    _draw_names(page, (first, second), panels, findings.vertebrae)
    return Box(box.left, box.top, second.left + second.width + _EDGE - box.left,
               first.height + 2 * _EDGE)  # fmt: skip


def _draw_sheet(
    page: Page, place: Box, sheet: CurvedSheet, flagged: frozenset[VertebraLevel]
) -> None:
    axes = page.axes(place.left, place.top, place.width, place.height)
    low, high = WINDOW_HU
    axes.imshow(sheet.hu, cmap="gray", vmin=low, vmax=high, interpolation="bilinear", aspect="auto")
    for label in np.unique(sheet.labels):
        if label == 0:
            continue
        known = label != SACRUM_LABEL
        colour = palette.level_colour(VertebraLevel(label), flagged) if known else palette.GREY
        is_flagged = known and VertebraLevel(label) in flagged
        _draw_structure(axes, sheet, int(label), colour, 2.6 if is_flagged else 1.1)
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
    page: Page, places: tuple[Box, Box], panels: Panels, vertebrae: tuple[VertebraFindings, ...]
) -> None:
    """Names at the height of their bodies, moved apart where they would touch."""
    if not vertebrae:
        return
    first, second = places
    sheet = panels.sagittal
    scale = first.height / sheet.hu.shape[0]
    flagged = frozenset(v.level for v in vertebrae if v.fractured)
    anchors = [sheet.row_column(v.centroid_lps_mm) for v in vertebrae]
    order = sorted(range(len(vertebrae)), key=lambda n: anchors[n][0])
    heights = [first.top + (anchors[n][0] + 0.5) * scale for n in order]
    placed = spread(heights, _NAME_GAP, first.top + 8, first.top + first.height - 8)
    left = first.left + first.width
    for n, height, y in zip(order, heights, placed, strict=True):
        vertebra = vertebrae[n]
        colour = palette.level_colour(vertebra.level, flagged)
        page.line((left, height), (left + 24, y), colour, 1)
        _draw_name(page, (left + 30, y), vertebra, colour)
        page.line((second.left - 22, y), (second.left, height), colour, 1)


def _draw_name(
    page: Page, position: tuple[float, float], vertebra: VertebraFindings, colour: str
) -> None:
    if vertebra.fractured and vertebra.height_loss_percent is not None:
        words = f"{vertebra.label}  -{vertebra.height_loss_percent:.1f} %"
        page.text(position, words, _NAME_SIZE + 2, colour, va="center", weight="bold")
        return
    words = vertebra.label if vertebra.complete else f"{vertebra.label} (cut)"
    page.text(position, words, _NAME_SIZE, FOREGROUND, va="center")
