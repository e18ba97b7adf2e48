"""Ribs: paths that start at a vertebra, pass its transverse process and follow the chest wall."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from inference.anatomy import VertebraLevel
from inference.phantom.posterior import ArchShape
from inference.phantom.shapes import Capsule

LEFT, RIGHT = 1, -1
"""Sign of x (LPS) on either side."""

_RIB_NUMBER = [1, 2, 3, 5, 7, 9, 10, 11, 12, 13]
_SWEEP_DEG = [115, 135, 145, 150, 150, 145, 135, 95, 58, 42]
_CHEST_HALF_WIDTH_MM = [56, 78, 92, 110, 122, 130, 131, 130, 126, 122]
_DROP_MM = [28, 45, 60, 85, 105, 120, 120, 95, 60, 40]


@dataclass(frozen=True)
class Rib:
    """One rib.

    Attributes
    ----------
    level
        The vertebra it belongs to.
    side
        `LEFT` or `RIGHT`.
    path_lps_mm
        Points along its axis (n, 3), from the head.
    side_mm, up_mm
        Half width and half height of its section.
    """

    level: VertebraLevel
    side: int
    path_lps_mm: npt.NDArray[np.float64]
    side_mm: float
    up_mm: float

    def rods(self) -> tuple[Capsule, ...]:
        """The rib as a chain of rods."""
        pairs = zip(self.path_lps_mm[:-1], self.path_lps_mm[1:], strict=True)
        return tuple(Capsule(a, b, self.side_mm, self.up_mm) for a, b in pairs)


@dataclass(frozen=True)
class RibForm:
    """How a rib runs: number (13 = lumbar), sweep around the chest, and its thickness factor."""

    number: float
    sweep: float
    thickness: float
    scale: float


def rib_form(number: float, scale: float, sweep: float, thickness: float) -> RibForm:
    """Form of the rib `number`; `sweep` and `thickness` are factors on the average."""
    degrees = float(np.interp(number, _RIB_NUMBER, _SWEEP_DEG)) * sweep
    return RibForm(number, np.radians(degrees), thickness, scale)


def _smooth(points: npt.NDArray[np.float64], step_mm: float) -> npt.NDArray[np.float64]:
    """Catmull-Rom curve through `points`, with a vertex about every `step_mm`."""
    padded = np.vstack([2 * points[0] - points[1], points, 2 * points[-1] - points[-2]])
    pieces = []
    for p0, p1, p2, p3 in zip(padded, padded[1:], padded[2:], padded[3:], strict=False):
        count = max(1, round(float(np.linalg.norm(p2 - p1)) / step_mm))
        t = np.arange(count)[:, None] / count
        cubic = (3 * (p1 - p2) + p3 - p0) * t**3
        square = (2 * p0 - 5 * p1 + 4 * p2 - p3) * t**2
        pieces.append(0.5 * (2 * p1 + (p2 - p0) * t + square + cubic))
    return np.vstack([*pieces, points[-1:]])


def rib_path(arch: ArchShape, form: RibForm) -> npt.NDArray[np.float64]:
    """Axis of a left rib in the body frame of its vertebra, (n, 3) in mm."""
    k = form.scale
    tip = arch.transverse_tip
    rise = 0.40 if 2 <= form.number <= 9 else 0.2
    wall = arch.posterior_wall_mm
    head = np.array([arch.body_width_mm / 2, wall - 6 * k, rise * arch.body_height_mm])
    neck = np.array([(head[0] + tip[0]) / 2, (wall + tip[1]) / 2 - 4 * k, (head[2] + tip[2]) / 2])
    tubercle = tip + np.array([3.0, -5.5, 1.0]) * k
    half_width = float(np.interp(form.number, _RIB_NUMBER, _CHEST_HALF_WIDTH_MM)) * k
    half_depth = 0.72 * half_width
    drop = float(np.interp(form.number, _RIB_NUMBER, _DROP_MM)) * k
    start = np.arcsin(min(0.9, (tubercle[0] + 16 * k) / half_width))
    center_y = tubercle[1] + 6 * k - half_depth * np.cos(start)
    angle = np.linspace(start, max(start + 0.15, form.sweep), 9)
    fraction = (angle - start) / np.radians(140)
    around = np.stack(
        [
            half_width * np.sin(angle),
            center_y + half_depth * np.cos(angle),
            tubercle[2] - 7 * k - drop * fraction**0.85,
        ],
        axis=1,
    )
    return _smooth(np.vstack([head, neck, tubercle, around]), 7.0 * k)


def short_rib_path(arch: ArchShape, length_mm: float) -> npt.NDArray[np.float64]:
    """A rudimentary or supernumerary left rib: a short rod from the transverse process."""
    tip = arch.transverse_tip
    start = tip + np.array([1.5, -2.0, 0.0])
    run = np.array([0.84, 0.10, -0.53])
    return _smooth(np.stack([start, start + run * length_mm / 2, start + run * length_mm]), 6.0)
