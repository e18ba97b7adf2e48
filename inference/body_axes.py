"""The own coordinate frame of a vertebral body, fitted to its endplates.

The craniocaudal axis is the mean normal of the two endplates, anterior points away from the
posterior elements, left completes the frame. The scanner's axes play no part, so a scoliotic or
kyphotic spine is measured like a straight one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from inference.body_surface import BodySurface

PROBE_STEP_MM = 0.5
PROBE_REACH_MM = 30.0
REFINEMENTS = 3
LARGEST_TILT_DEG = 40.0
"""An endplate axis further than this from the spine's tangent is not believed."""

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class BodyFrame:
    """Origin (middle of the body) and unit axes in LPS; points are (anterior, left, cranial) mm."""

    origin_lps_mm: FloatArray
    anterior: FloatArray
    left: FloatArray
    cranial: FloatArray

    @property
    def axes(self) -> FloatArray:
        """3x3, rows are anterior, left, cranial."""
        return np.stack([self.anterior, self.left, self.cranial])

    def to_lps_mm(self, points_mm: FloatArray) -> FloatArray:
        """Patient coordinates of points (..., 3) in this frame."""
        return np.asarray(points_mm @ self.axes + self.origin_lps_mm)

    def from_lps_mm(self, points_lps_mm: FloatArray) -> FloatArray:
        """Points (..., 3) in this frame of patient coordinates."""
        return np.asarray((points_lps_mm - self.origin_lps_mm) @ self.axes.T)


@dataclass(frozen=True)
class Columns:
    """Where the body's surface is met along the cranial axis.

    Attributes
    ----------
    anterior_mm, left_mm
        (n,), position of each column.
    lower_mm, upper_mm
        (n,), entry and exit along the cranial axis; NaN where the column misses the body.
    """

    anterior_mm: FloatArray
    left_mm: FloatArray
    lower_mm: FloatArray
    upper_mm: FloatArray

    def hit(self) -> Columns:
        """Only the columns that meet the body."""
        keep = np.isfinite(self.lower_mm)
        return Columns(
            self.anterior_mm[keep], self.left_mm[keep], self.lower_mm[keep], self.upper_mm[keep]
        )


def frame_from(origin: FloatArray, cranial: FloatArray, anterior: FloatArray) -> BodyFrame:
    """Orthonormal frame: `cranial` is kept, `anterior` is made perpendicular to it."""
    up = cranial / np.linalg.norm(cranial)
    front = anterior - (anterior @ up) * up
    front = front / np.linalg.norm(front)
    return BodyFrame(origin, front, np.cross(up, front), up)


def fit_frame(surface: BodySurface, start: BodyFrame) -> BodyFrame:
    """Turn `start` until its cranial axis is the mean normal of both endplates."""
    frame = _centred(surface, start)
    for _ in range(REFINEMENTS):
        extent = anteroposterior_extent_mm(surface, frame)
        if extent is None:
            return start
        grid = _endplate_grid(extent, lateral_half_width_mm(surface, frame))
        columns = columns_at(surface, frame, *grid).hit()
        if columns.anterior_mm.size < 12:
            return start
        normal = _mean_normal(columns)
        cranial = normal @ frame.axes
        if cranial @ start.cranial < np.cos(np.radians(LARGEST_TILT_DEG)):
            return start
        frame = _centred(surface, frame_from(frame.origin_lps_mm, cranial, start.anterior))
    return frame


def columns_at(
    surface: BodySurface, frame: BodyFrame, anterior_mm: FloatArray, left_mm: FloatArray
) -> Columns:
    """Sub-voxel entry and exit of the longest run inside the body, column by column."""
    z = np.arange(-PROBE_REACH_MM, PROBE_REACH_MM + 1e-6, PROBE_STEP_MM)
    points = np.empty((anterior_mm.size, z.size, 3))
    points[..., 0] = anterior_mm[:, None]
    points[..., 1] = left_mm[:, None]
    points[..., 2] = z
    distance = surface.at_lps(frame.to_lps_mm(points))
    lower = np.full(anterior_mm.size, np.nan)
    upper = np.full(anterior_mm.size, np.nan)
    for n, profile in enumerate(distance):
        run = longest_run(profile)
        if run is not None:
            lower[n] = z[0] + run[0] * PROBE_STEP_MM
            upper[n] = z[0] + run[1] * PROBE_STEP_MM
    return Columns(anterior_mm, left_mm, lower, upper)


def longest_run(profile: FloatArray) -> tuple[float, float] | None:
    """Fractional start and end of the longest positive run; None if there is none."""
    inside = np.concatenate([[False], profile > 0.0, [False]])
    edges = np.flatnonzero(inside[1:] != inside[:-1])
    if edges.size == 0:
        return None
    starts, stops = edges[0::2], edges[1::2]
    best = int((stops - starts).argmax())
    first, last = int(starts[best]), int(stops[best]) - 1
    begin, end = float(first), float(last)
    if first > 0:
        begin = first - profile[first] / (profile[first] - profile[first - 1])
    if last < profile.size - 1:
        end = last + profile[last] / (profile[last] - profile[last + 1])
    return begin, end


def anteroposterior_extent_mm(surface: BodySurface, frame: BodyFrame) -> tuple[float, float] | None:
    """Posterior and anterior wall at mid-height in the mid-sagittal slab, in the frame."""
    walls = [_extent(surface, frame, 0, left) for left in (-3.0, -1.5, 0.0, 1.5, 3.0)]
    found = np.array([wall for wall in walls if wall is not None])
    if found.size == 0:
        return None
    back, front = np.median(found, axis=0)
    return float(back), float(front)


def lateral_half_width_mm(surface: BodySurface, frame: BodyFrame) -> float:
    """Half the width at mid-height, measured in front of the pedicles."""
    width = _extent(surface, frame, 1, 3.0)
    return 10.0 if width is None else (width[1] - width[0]) / 2.0


def _extent(
    surface: BodySurface, frame: BodyFrame, axis: int, other_mm: float
) -> tuple[float, float] | None:
    t = np.arange(-PROBE_REACH_MM, PROBE_REACH_MM + 1e-6, PROBE_STEP_MM)
    points = np.zeros((3, t.size, 3))
    points[..., axis] = t
    points[..., 1 - axis] = other_mm
    points[..., 2] = np.array([-1.5, 0.0, 1.5])[:, None]
    run = longest_run(surface.at_lps(frame.to_lps_mm(points)).mean(axis=0))
    if run is None:
        return None
    return t[0] + run[0] * PROBE_STEP_MM, t[0] + run[1] * PROBE_STEP_MM


def _centred(surface: BodySurface, frame: BodyFrame) -> BodyFrame:
    """The frame with its origin in the middle of the body along all three axes."""
    shift = np.zeros(3)
    for axis, other in ((1, 3.0), (0, 0.0)):
        moved = BodyFrame(frame.to_lps_mm(shift), frame.anterior, frame.left, frame.cranial)
        extent = _extent(surface, moved, axis, other)
        if extent is not None:
            shift[axis] += (extent[0] + extent[1]) / 2.0
    moved = BodyFrame(frame.to_lps_mm(shift), frame.anterior, frame.left, frame.cranial)
    offsets = np.linspace(-6.0, 6.0, 5)
    middle = columns_at(surface, moved, offsets, np.zeros(5)).hit()
    if middle.lower_mm.size:
        shift[2] += float(np.median((middle.lower_mm + middle.upper_mm) / 2.0))
    return BodyFrame(frame.to_lps_mm(shift), frame.anterior, frame.left, frame.cranial)


def _endplate_grid(extent: tuple[float, float], half_width: float) -> tuple[FloatArray, FloatArray]:
    back, front = extent
    depth = front - back
    s = np.linspace(back + 0.1 * depth, front - 0.1 * depth, 13)
    x = np.linspace(-0.55 * half_width, 0.55 * half_width, 9)
    grid_s, grid_x = np.meshgrid(s, x, indexing="ij")
    return grid_s.ravel(), grid_x.ravel()


def _mean_normal(columns: Columns) -> FloatArray:
    normals = []
    for height in (columns.lower_mm, columns.upper_mm):
        _, slope_s, slope_x = _plane(columns.anterior_mm, columns.left_mm, height)
        normal = np.array([-slope_s, -slope_x, 1.0])
        normals.append(normal / np.linalg.norm(normal))
    return np.asarray(np.mean(normals, axis=0))


def _plane(s: FloatArray, x: FloatArray, z: FloatArray) -> FloatArray:
    """Robust plane z = a + b s + c x (three rounds of Huber weights)."""
    design = np.stack([np.ones_like(s), s, x], axis=1)
    weight = np.ones_like(z)
    solution = np.zeros(3)
    for _ in range(3):
        root = np.sqrt(weight)
        solution = np.linalg.lstsq(design * root[:, None], z * root, rcond=None)[0]
        residual = np.abs(z - design @ solution)
        weight = np.minimum(1.0, 1.5 / np.maximum(residual, 1e-6))
    return np.asarray(solution)
