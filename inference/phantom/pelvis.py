"""Sacrum, hip bones and proximal femora.

The sacral frame has its origin in the middle of the first sacral endplate, z along that endplate's
normal. The pelvic frame shares the origin but stands upright (LPS axes).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from inference.phantom.body import BodyShape
from inference.phantom.shapes import (
    Capsule,
    Field,
    Points,
    Vector,
    capsule_sdf,
    smooth_max,
    smooth_min,
)

SACRUM_LENGTH_MM = 105.0
"""Length of sacrum and coccyx along z at scale 1."""

_ILIUM_POINTS = np.array(
    # distance from the midline, y (back), z (head) of the iliac blade's mid surface
    [
        (40, 22, -32), (44, 46, -34), (62, 30, 0), (88, 8, 22), (112, -22, 24), (124, -52, 4),
        (122, -76, -28), (112, -70, -62), (98, -42, -84), (88, -8, -72), (60, 8, -40),
        (100, -35, -30), (80, -5, -15),
    ],
    dtype=np.float64,
)  # fmt: skip
_ILIUM_OUTLINE_YZ = np.array(
    [
        (48, -38), (42, -14), (26, 6), (6, 22), (-24, 28), (-54, 10), (-78, -26), (-72, -46),
        (-74, -64), (-62, -96), (-28, -104), (-8, -84), (8, -66), (30, -62),
    ],
    dtype=np.float64,
)  # fmt: skip


def _quadratic_terms(y: Field, z: Field) -> list[Field]:
    return [np.ones_like(y), y, z, y * y, z * z, y * z]


def _blade_coefficients() -> npt.NDArray[np.float64]:
    x, y, z = _ILIUM_POINTS.T
    design = np.stack(_quadratic_terms(y / 100, z / 100), axis=1)
    return np.asarray(np.linalg.lstsq(design, x, rcond=None)[0], np.float64)


_BLADE = _blade_coefficients()


@dataclass(frozen=True)
class Sacrum:
    """The sacrum in the patient frame.

    Attributes
    ----------
    center_lps_mm
        Middle of the first sacral endplate.
    rotation
        Columns are the sacral frame's axes in LPS.
    scale
        Size relative to the average adult.
    endplate
        The first sacral body as a vertebral body, whose centre lies half a height below the
        endplate; gives the lumbosacral disc its lower boundary.
    curve
        How strongly the lower sacrum bends, 1 on average.
    """

    center_lps_mm: Vector
    rotation: npt.NDArray[np.float64]
    scale: float
    endplate: BodyShape
    curve: float = 1.0

    @property
    def first_body_center_lps_mm(self) -> Vector:
        """Centre of the first sacral body in LPS."""
        return self.center_lps_mm - self.rotation[:, 2] * self.endplate.mean_height_mm / 2


def sacrum_sdf(sacrum: Sacrum, points: Points) -> Field:
    """Signed distance of points in the sacral frame, at least about 20 mm around the bone."""
    x, y, z = (p / np.float32(sacrum.scale) for p in points)
    t = np.clip(-z / np.float32(SACRUM_LENGTH_MM), 0, 1.15)
    half = 0.5 * sacrum.endplate.width_mm / sacrum.scale
    side = np.abs(x)
    stops = [0, 0.07, 0.2, 0.38, 0.62, 1, 1.15]
    widths = [half + 8, half + 26, half + 30, half + 22, half + 2, 11, 4]
    width = np.interp(t, stops, widths).astype(np.float32)
    depth = np.interp(t, [0, 0.3, 0.7, 1.15], [18, 15, 9, 4]).astype(np.float32)
    middle = 4 - 10 * t + np.float32(32 * sacrum.curve) * t * t
    wing = 1 + 0.45 * np.clip(side / half - 0.8, 0, 1)
    across = np.abs(y - middle) / depth * wing
    radius = ((side / width) ** 2.6 + across**2.4) ** np.float32(0.4)
    bone = smooth_max((radius - 1) * depth, z - 0.12 * np.clip(side - half, 0, 30), 2.0)
    bone = np.maximum(bone, -z - np.float32(SACRUM_LENGTH_MM))
    for row in range(4):
        level, lateral = -(22.0 + 20 * row), half * 0.72 - 2.2 * row
        hole = np.sqrt((side - lateral) ** 2 + (z - level) ** 2) - (4.8 - 0.5 * row)
        bone = smooth_max(bone, -hole.astype(np.float32), 1.5)
    crest = Capsule(np.array([0, 22.0, -12]), np.array([0, 36.0, -72]), 3.0, 6.0)
    bone = smooth_min(bone, capsule_sdf((x, y, z), crest), 3.0)
    facet_x, facet_y = half * 0.72, 16.5 + 14.0
    facet = Capsule(np.array([facet_x, facet_y - 4, -14]), np.array([facet_x, facet_y, 7]), 5, 4)
    bone = smooth_min(bone, capsule_sdf((side, y, z), facet), 3.0)
    tube = sacral_canal_sdf(sacrum, points) / np.float32(sacrum.scale)
    return np.asarray(np.maximum(bone, -tube) * sacrum.scale, dtype=np.float32)


def sacral_canal_sdf(sacrum: Sacrum, points: Points) -> Field:
    """Signed distance to the sacral canal, points in the sacral frame."""
    x, y, z = (p / np.float32(sacrum.scale) for p in points)
    t = np.clip(-z / np.float32(SACRUM_LENGTH_MM), 0, 1.0)
    middle = 4 - 10 * t + np.float32(32 * sacrum.curve) * t * t
    center = middle + np.interp(t, [0, 0.3, 0.7, 1], [19, 11, 6, 3]).astype(np.float32)
    width, depth = 12.5 * (1 - 0.65 * t), 7.0 * (1 - 0.55 * t)
    radius = np.sqrt((x / width) ** 2 + ((y - center) / depth) ** 2)
    tube = np.maximum((radius - 1) * depth, -z - 85)
    return np.asarray(tube * sacrum.scale, dtype=np.float32)


def _outline_distance(y: Field, z: Field) -> Field:
    """Signed distance in the sagittal plane to the outline of the iliac blade."""
    nearest = np.full(y.shape, np.inf, dtype=np.float32)
    inside = np.zeros(y.shape, dtype=bool)
    for (y0, z0), (y1, z1) in zip(
        _ILIUM_OUTLINE_YZ, np.roll(_ILIUM_OUTLINE_YZ, -1, axis=0), strict=True
    ):
        dy, dz = np.float32(y1 - y0), np.float32(z1 - z0)
        t = np.clip(((y - y0) * dy + (z - z0) * dz) / (dy * dy + dz * dz), 0, 1)
        nearest = np.minimum(nearest, (y - y0 - t * dy) ** 2 + (z - z0 - t * dz) ** 2)
        if dz != 0:
            crosses = (z0 > z) != (z1 > z)
            inside ^= crosses & (y < y0 + dy / dz * (z - z0))
    distance = np.sqrt(nearest)
    return np.where(inside, -distance, distance)


def ilium_sdf(scale: float, points: Points) -> Field:
    """Signed distance to both iliac blades, points in the pelvic frame."""
    x, y, z = (np.asarray(p / np.float32(scale), dtype=np.float32) for p in points)
    # the blade depends on y and z alone, which broadcast cheaply on upright grids
    y2, z2 = np.broadcast_arrays(y, z)
    terms = _quadratic_terms(np.clip(y2, -85, 60) / 100, np.clip(z2, -110, 40) / 100)
    surface = sum(np.float32(c) * term for c, term in zip(_BLADE, terms, strict=True))
    outline = _outline_distance(y2, z2)
    rim = np.exp(-((outline + 6) ** 2) / 50)
    thick = 2.6 + 3.2 * rim + 4.5 * np.clip((y2 + 5) / 40, 0, 1) + 6 * np.clip(-z2 - 60, 0, 40) / 40
    sheet = (np.abs(np.abs(x) - surface) - thick) * np.float32(0.85)
    bone = smooth_max(np.asarray(sheet, np.float32), np.asarray(outline, np.float32), 4.0)
    return np.asarray(bone * np.float32(scale), dtype=np.float32)


def hip_rods(scale: float) -> tuple[list[Capsule], list[Capsule]]:
    """Rods of the left hip bone below the blade, and of the left femur, in the pelvic frame."""
    head = np.array([92.0, -38.0, -128.0])
    trochanter = head + np.array([34.0, 6.0, -36.0])
    pubis, ischium = np.array([8.0, -82.0, -150.0]), np.array([62.0, -2.0, -176.0])

    def rod(start: Vector, end: Vector, side_mm: float, up_mm: float) -> Capsule:
        return Capsule(start * scale, end * scale, side_mm * scale, up_mm * scale)

    def off(point: Vector, x: float, y: float, z: float) -> Vector:
        return np.asarray(point + np.array([x, y, z]), np.float64)

    ramus = off(head, -46, -28, -14)
    hip = [
        rod(off(head, -4, 8, 26), off(head, -22, 6, -6), 12, 12),
        rod(off(head, 4, 16, 22), off(head, -10, 22, -14), 11, 11),
        rod(off(head, -22, 0, -8), ramus, 7, 9),
        rod(ramus, pubis, 7, 8),
        rod(off(head, -12, 22, -14), ischium, 10, 12),
        rod(ischium, off(pubis, 4, 4, -8), 6, 7),
    ]
    femur = [
        rod(head, off(head, 1, 0, -1), 24, 24),
        rod(head, trochanter, 14, 15),
        rod(off(trochanter, 12, 8, 10), off(trochanter, 2, 4, -50), 15, 15),
        rod(off(trochanter, 2, 4, -50), off(trochanter, -4, 0, -160), 14, 14),
    ]
    return hip, femur
