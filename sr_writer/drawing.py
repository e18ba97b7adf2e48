"""A dark page measured in pixels, on matplotlib's Figure API (no pyplot: it keeps global state)."""

from __future__ import annotations

import textwrap
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

RGBArray = npt.NDArray[np.uint8]

BACKGROUND = "#101214"
FOREGROUND = "#F2F2F2"
MUTED = "#B8BCC0"

_DPI = 100
_FONT = "DejaVu Sans"
_POINTS_PER_PIXEL = 72 / _DPI


class Page:
    """A page of given size; x runs right, y runs down, both in pixels.

    Parameters
    ----------
    width, height
        Size in pixels.
    """

    def __init__(self, width: int, height: int) -> None:
        self.width = width
        self.height = height
        self.figure = Figure(figsize=(width / _DPI, height / _DPI), dpi=_DPI, facecolor=BACKGROUND)
        self._canvas = FigureCanvasAgg(self.figure)

    def text(
        self,
        position: tuple[float, float],
        words: str,
        size: float = 14,
        colour: str = FOREGROUND,
        **style: str,
    ) -> None:
        """Write text of a pixel size; position is the left end of the baseline by default."""
        self._write(position, words, size, colour, **style)

    def label(self, position: tuple[float, float], words: str, size: float, colour: str) -> None:
        """Write bold text centred on a point of a picture, on a dark patch."""
        patch = {"facecolor": BACKGROUND, "alpha": 0.72, "edgecolor": "none", "pad": 2.0}
        self._write(
            position, words, size, colour, weight="bold", ha="center", va="center", bbox=patch
        )

    def _write(
        self,
        position: tuple[float, float],
        words: str,
        size: float,
        colour: str,
        **style: Any,  # of matplotlib's Text
    ) -> None:
        x, y = position
        self.figure.text(
            x / self.width,
            1 - y / self.height,
            words,
            fontsize=size * _POINTS_PER_PIXEL,
            color=colour,
            family=_FONT,
            **style,
        )

    def paragraph(
        self, position: tuple[float, float], words: str, characters: int, size: float, colour: str
    ) -> float:
        """Write wrapped text and return the y below it."""
        x, y = position
        for line in textwrap.wrap(words, characters):
            self.text((x, y), line, size, colour)
            y += 1.35 * size
        return y

    def line(
        self, start: tuple[float, float], end: tuple[float, float], colour: str, width: float = 1
    ) -> None:
        """Draw a straight line."""
        self.figure.add_artist(
            Line2D(
                [start[0] / self.width, end[0] / self.width],
                [1 - start[1] / self.height, 1 - end[1] / self.height],
                color=colour,
                linewidth=width,
                solid_capstyle="butt",
            )
        )

    def axes(self, left: float, top: float, width: float, height: float) -> Axes:
        """Return bare axes over a rectangle."""
        box = (
            left / self.width,
            1 - (top + height) / self.height,
            width / self.width,
            height / self.height,
        )
        axes = self.figure.add_axes(box)
        axes.set_axis_off()
        return axes

    def rgb(self) -> RGBArray:
        """Render to uint8 (rows, columns, 3)."""
        self._canvas.draw()  # type: ignore[no-untyped-call]
        rgba = self._canvas.buffer_rgba()  # type: ignore[no-untyped-call]
        return np.asarray(rgba)[..., :3].copy()


def spread(positions: list[float], gap: float, low: float, high: float) -> list[float]:
    """Move ascending positions apart to at least `gap`, as little as needed, inside the bounds."""
    if len(positions) > 1:
        gap = min(gap, (high - low) / (len(positions) - 1))
    placed: list[float] = []
    for position in positions:
        floor = placed[-1] + gap if placed else low
        placed.append(max(position, floor))
    ceiling = high
    for n in reversed(range(len(placed))):
        placed[n] = min(placed[n], ceiling)
        ceiling = placed[n] - gap
    return placed
