"""Breastbone and shoulder blades: bones near a thoracic spine that are no vertebrae."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from inference.anatomy import VertebraLevel
from inference.phantom.shapes import Capsule, Vector


def shoulder_rods(centers_lps_mm: Mapping[VertebraLevel, Vector], scale: float) -> list[Capsule]:
    """Rods in LPS of the breastbone and of both shoulder blades with their spines.

    Parameters
    ----------
    centers_lps_mm
        Body centres; T2, T3, T5, T7 and T9 say where the bones lie.
    scale
        Size relative to an average adult.
    """

    def at(level: VertebraLevel, x: float, y: float) -> Vector:
        return np.asarray(centers_lps_mm[level] + np.array([x, y, 0.0]) * scale, np.float64)

    rods = [
        Capsule(
            at(VertebraLevel.T3, 0, -90),
            at(VertebraLevel.T9, 0, -134),
            17 * scale,
            5 * scale,
            (0, 1, 0),
        )
    ]
    for side in (1, -1):
        normal = (0.42 * side, 0.9, 0.0)
        blade = (at(VertebraLevel.T2, side * 84, 34), at(VertebraLevel.T7, side * 72, 44))
        ridge = (at(VertebraLevel.T3, side * 66, 52), at(VertebraLevel.T2, side * 132, 18))
        socket = (at(VertebraLevel.T3, side * 112, 12), at(VertebraLevel.T2, side * 118, 8))
        rods += [
            Capsule(*blade, 24 * scale, 3.0 * scale, normal),
            Capsule(*ridge, 3.5 * scale, 8 * scale, normal),
            Capsule(*socket, 9 * scale, 12 * scale),
        ]
    return rods
