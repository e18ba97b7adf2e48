"""Signed distance primitives, negative inside, in mm; arrays are float32."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Field = npt.NDArray[np.float32]
Points = tuple[Field, Field, Field]
"""Coordinates x, y, z of points: three arrays that broadcast to one shape."""
Vector = npt.NDArray[np.float64]

FAR_MM = np.float32(40.0)
"""Distance reported where a shape was not evaluated."""


def smooth_min(a: Field, b: Field, radius_mm: float) -> Field:
    """Union of two shapes whose junction is filleted with about `radius_mm`."""
    overlap = np.maximum(radius_mm - np.abs(a - b), 0)
    union: Field = np.minimum(a, b) - overlap * overlap * np.float32(0.25 / radius_mm)
    return union


def smooth_max(a: Field, b: Field, radius_mm: float) -> Field:
    """Intersection of two shapes whose edge is rounded with about `radius_mm`."""
    overlap = np.maximum(radius_mm - np.abs(a - b), 0)
    common: Field = np.maximum(a, b) + overlap * overlap * np.float32(0.25 / radius_mm)
    return common


@dataclass(frozen=True)
class Capsule:
    """A rod from `start` to `end` with an elliptic section.

    Attributes
    ----------
    start, end
        Ends of the axis, mm.
    side_mm, up_mm
        Half widths across the axis: `up_mm` along the direction nearest to `up`.
    up
        Direction that orients the section.
    """

    start: Vector
    end: Vector
    side_mm: float
    up_mm: float
    up: tuple[float, float, float] = (0.0, 0.0, 1.0)

    def mirrored(self) -> Capsule:
        """The same rod on the other side of the plane x = 0."""
        flip = np.array([-1.0, 1.0, 1.0])
        up = (-self.up[0], self.up[1], self.up[2])
        return Capsule(self.start * flip, self.end * flip, self.side_mm, self.up_mm, up)

    def bounds(self, margin_mm: float) -> tuple[Vector, Vector]:
        """Corners of the axis-aligned box that holds the rod and a margin."""
        reach = max(self.side_mm, self.up_mm) + margin_mm
        ends = np.stack([self.start, self.end])
        return ends.min(axis=0) - reach, ends.max(axis=0) + reach


def _section_axes(axis: Vector, up: Vector) -> tuple[Vector, Vector]:
    side = np.cross(up, axis)
    if np.linalg.norm(side) < 1e-3:
        side = np.cross(np.array([0.3, 1.0, 0.2]), axis)
    side = side / np.linalg.norm(side)
    return side, np.cross(axis, side)


def _along(points: Points, origin: Vector, direction: Vector) -> Field:
    x, y, z = points
    dx, dy, dz = (np.float32(v) for v in direction)
    offset = np.float32(float(origin @ direction))
    projection: Field = x * dx + y * dy + (z * dz - offset)
    return projection


def capsule_sdf(points: Points, rod: Capsule) -> Field:
    """Approximate signed distance to `rod` (exact on its surface)."""
    axis = rod.end - rod.start
    length = float(np.linalg.norm(axis))
    axis = axis / length if length > 1e-6 else np.array([0.0, 0.0, 1.0])
    side, up = _section_axes(axis, np.asarray(rod.up, dtype=np.float64))
    along = _along(points, rod.start, axis)
    beyond = along - np.clip(along, 0, np.float32(length))
    thin = min(rod.side_mm, rod.up_mm)
    across = _along(points, rod.start, side) * np.float32(1 / rod.side_mm)
    upward = _along(points, rod.start, up) * np.float32(1 / rod.up_mm)
    beyond = beyond * np.float32(1 / thin)
    radius = np.sqrt(across * across + upward * upward + beyond * beyond)
    distance: Field = (radius - 1) * np.float32(thin)
    return distance
