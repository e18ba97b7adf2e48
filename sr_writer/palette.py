"""Colours that people with any colour vision can tell apart (Okabe and Ito, 2008)."""

from __future__ import annotations

import highdicom as hd

from inference.anatomy import SACRUM_LABEL, VertebraLevel

BLUE = "#0072B2"
SKY = "#56B4E9"
GREEN = "#009E73"
YELLOW = "#F0E442"
ORANGE = "#E69F00"
VERMILLION = "#D55E00"
PURPLE = "#CC79A7"
GREY = "#999999"

FLAGGED = VERMILLION
"""A level with a fracture; no other level of a picture has this colour."""

_ALTERNATING = (SKY, GREEN)
_SEGMENTS = (ORANGE, SKY, GREEN, YELLOW, BLUE, VERMILLION, PURPLE)


def level_colour(position: int, flagged: bool) -> str:
    """Colour of the level at a position in the picture, counted from the head."""
    return FLAGGED if flagged else _ALTERNATING[position % len(_ALTERNATING)]


def cielab(label: int) -> hd.color.CIELabColor:
    """Recommended display colour of a segment; neighbours differ."""
    colour = GREY if label == SACRUM_LABEL else _SEGMENTS[VertebraLevel(label).rank % 7]
    red, green, blue = rgb(colour)
    return hd.color.CIELabColor.from_rgb(red, green, blue)


def rgb(colour: str) -> tuple[int, int, int]:
    """Return 0 to 255 per channel of ``#RRGGBB``."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
