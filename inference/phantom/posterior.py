"""The neural arch: pedicles, articular processes, laminae, spinous and transverse processes.

Everything is in the body frame (`inference.phantom.body`) and built from rods; left and right are
mirror images.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from inference.phantom.shapes import (
    FAR_MM,
    Capsule,
    Field,
    Points,
    Vector,
    capsule_sdf,
    smooth_min,
)

ARCH_FILLET_MM = 1.8
"""Radius with which the rods of one arch run into each other and into the body."""


@dataclass(frozen=True)
class ArchShape:
    """Sizes of one neural arch in mm; `spinous_angle` in radians towards the feet.

    `body_width_mm`, `body_depth_mm` and `body_height_mm` are those of the unfractured body, since
    a collapsed body leaves its arch as it was.
    """

    region: str
    scale: float
    body_width_mm: float
    body_depth_mm: float
    body_height_mm: float
    canal_width_mm: float
    canal_depth_mm: float
    pedicle_width_mm: float
    pedicle_height_mm: float
    transverse_span_mm: float
    spinous_length_mm: float
    spinous_angle: float

    @property
    def posterior_wall_mm(self) -> float:
        """y of the back of the body."""
        return self.body_depth_mm / 2

    @property
    def pedicle_center(self) -> Vector:
        """Middle of the left pedicle's origin at the body."""
        region_shift = 4 * self.scale if self.region == "C" else 0.0
        widest = self.body_width_mm / 2 + region_shift - self.pedicle_width_mm / 4
        x = min(self.canal_width_mm / 2 + self.pedicle_width_mm / 2 - 1, widest)
        z = (0.02 if self.region == "C" else 0.17) * self.body_height_mm
        return np.array([x, self.posterior_wall_mm, z])

    @property
    def transverse_tip(self) -> Vector:
        """Tip of the left transverse process; in the thorax the rib's tubercle lies on it."""
        x = self.transverse_span_mm / 2 - 3
        wall, z = self.posterior_wall_mm, self.pedicle_center[2]
        if self.region == "C":
            return np.array([x, wall - 1, z - 2])
        if self.region == "T":
            return np.array([x, wall + 1.15 * self.canal_depth_mm, z + 3])
        return np.array([x, wall + 0.6 * self.canal_depth_mm, z + 1])


@dataclass(frozen=True)
class _Proportions:
    """How one region's arch differs from the others, in mm before scaling."""

    facet: float
    facet_lateral: float
    facet_rise: float
    facet_drop: float
    inferior_inset: float
    lamina: float
    spinous: tuple[float, float]
    transverse: tuple[float, float]


_REGIONS = {
    "C": _Proportions(3.4, 1, 4.0, 3, -1.0, 0.45, (2.8, 3.5), (4.0, 4.2)),
    "T": _Proportions(3.6, 1, 3.5, 4, -1.0, 0.62, (2.6, 4.2), (4.2, 4.6)),
    "L": _Proportions(5.2, 3, 5.5, 7, 1.5, 0.44, (3.2, 8.0), (2.8, 4.8)),
}


def _articular_rods(arch: ArchShape, parts: _Proportions) -> list[Capsule]:
    k, half = arch.scale, arch.body_height_mm / 2
    x, wall, z = arch.pedicle_center
    depth = arch.canal_depth_mm
    pillar = np.array([x + 1.5 * k, wall + 0.72 * depth, z - 1.5])
    top = np.array([x + parts.facet_lateral * k, wall + 0.72 * depth, half + parts.facet_rise * k])
    inset = arch.canal_width_mm / 2 - parts.inferior_inset
    bottom = np.array([inset, wall + 1.1 * depth, -half - parts.facet_drop * k])
    back = (0.0, 1.0, 0.0)
    wide, thin = parts.facet * 1.08 * k, parts.facet * 0.8 * k
    return [Capsule(pillar, top, wide, thin, back), Capsule(pillar, bottom, wide, thin, back)]


def _arch_rods(arch: ArchShape, parts: _Proportions) -> list[Capsule]:
    k = arch.scale
    x, wall, z = arch.pedicle_center
    depth, height = arch.canal_depth_mm, arch.body_height_mm
    pedicle = Capsule(
        np.array([x, wall - 4 * k, z]),
        np.array([x + 1, wall + 0.55 * depth, z]),
        arch.pedicle_width_mm / 2,
        arch.pedicle_height_mm / 2,
    )
    lamina = Capsule(
        np.array([arch.canal_width_mm / 2 + 0.5, wall + 0.85 * depth, -0.12 * height]),
        np.array([0.0, wall + depth + 2.5 * k, -0.18 * height]),
        2.6 * k,
        parts.lamina * height / 2,
    )
    root = np.array([x, wall + 0.6 * depth, z])
    side, up = (r * k for r in parts.transverse)
    transverse = Capsule(root, arch.transverse_tip, side, up)
    return [pedicle, lamina, transverse]


def _spinous_rods(arch: ArchShape, parts: _Proportions) -> list[Capsule]:
    k = arch.scale
    back = arch.posterior_wall_mm + arch.canal_depth_mm + 2.5 * k
    start = np.array([0.0, back, -0.18 * arch.body_height_mm])
    run = np.array([0.0, np.cos(arch.spinous_angle), -np.sin(arch.spinous_angle)])
    end = start + run * arch.spinous_length_mm
    side, up = (r * k for r in parts.spinous)
    blade = Capsule(start, end, side, up)
    knob = Capsule(end - run * 3 * k, end, side * 1.35, up * 0.95)
    return [blade, knob]


@lru_cache(maxsize=512)
def arch_rods(arch: ArchShape) -> tuple[Capsule, ...]:
    """Every rod of the arch, both sides."""
    parts = _REGIONS[arch.region]
    sided = _articular_rods(arch, parts) + _arch_rods(arch, parts)
    mirrored = [rod.mirrored() for rod in sided]
    return tuple(sided + mirrored + _spinous_rods(arch, parts))


def canal_sdf(arch: ArchShape, points: Points) -> Field:
    """Signed distance to the vertebral foramen, an elliptic tube along z."""
    x, y, _ = points
    width, depth = arch.canal_width_mm, arch.canal_depth_mm
    center = np.float32(arch.posterior_wall_mm + depth / 2)
    radius = np.sqrt((x * np.float32(2 / width)) ** 2 + ((y - center) * np.float32(2 / depth)) ** 2)
    return np.asarray((radius - 1) * np.float32(min(width, depth) / 2), dtype=np.float32)


def posterior_sdf(arch: ArchShape, points: Points) -> Field:
    """Signed distance of points in the body frame to the neural arch without the canal."""
    union = np.full(np.broadcast(*points).shape, FAR_MM, dtype=np.float32)
    for rod in arch_rods(arch):
        union = smooth_min(union, capsule_sdf(points, rod), ARCH_FILLET_MM)
    return np.maximum(union, -canal_sdf(arch, points))
