"""The vertebral body: its surface, its heights at the stations, and a fit of one to the other.

Body frame: origin at the body's centre, x to the left, y to the back, z to the head.

Stations
--------
Heights are distances between the superior and the inferior endplate surface along the body's own
craniocaudal axis (z), averaged over the mid-sagittal slab ``|x| <= 4 mm``, at 15, 50 and 85 % of
the body's anteroposterior extent **at mid-height** (z = 0), counted from the posterior wall:
15 % is the posterior, 50 % the middle, 85 % the anterior height.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from inference.phantom.shapes import (
    Capsule,
    Field,
    Points,
    Vector,
    capsule_sdf,
    smooth_max,
    smooth_min,
)
from inference.report import Heights

SLAB_HALF_WIDTH_MM = 4.0
"""Half width of the mid-sagittal slab in which heights are averaged."""
POSTERIOR_STATION, MIDDLE_STATION, ANTERIOR_STATION = 0.15, 0.50, 0.85
"""Stations as fractions of the anteroposterior extent at mid-height, from the posterior wall."""

Index = npt.NDArray[np.intp]

_ENDPLATE_EDGE_MM = 1.0
_RIM_ROUNDING_MM = 2.0


@dataclass(frozen=True)
class BodyShape:
    """Parameters of one body's surface.

    Attributes
    ----------
    width_mm, depth_mm
        Of the endplates.
    anterior_mm, posterior_mm
        Distance of the endplate planes at the anterior and the posterior wall.
    dip_mm
        Depth of the endplates' concavity, mean of superior and inferior.
    dip_focus
        Exponent that keeps the concavity away from the rim: 2 in healthy bodies, 3 where the
        middle has collapsed.
    superior_share
        Share of the concavity that the superior endplate carries, 0 to 1.
    waist
        Relative narrowing at mid-height.
    canal_indent, taper, exponent
        Posterior concavity, anterior narrowing (heart shape), superellipse exponent.
    lip_superior, lip_inferior
        Relative outgrowth of the anterior rims (osteophytes).
    uncus_mm
        Height of the uncinate processes (cervical), 0 elsewhere.
    dens_mm
        Length of the dens above the body (C2), 0 elsewhere.
    """

    width_mm: float
    depth_mm: float
    anterior_mm: float
    posterior_mm: float
    dip_mm: float
    dip_focus: float = 2.0
    superior_share: float = 0.5
    waist: float = 0.1
    canal_indent: float = 0.1
    taper: float = 0.1
    exponent: float = 2.4
    lip_superior: float = 0.0
    lip_inferior: float = 0.0
    uncus_mm: float = 0.0
    dens_mm: float = 0.0

    @property
    def mean_height_mm(self) -> float:
        """Mean of the anterior and posterior plane distances."""
        return (self.anterior_mm + self.posterior_mm) / 2


@dataclass(frozen=True)
class BodySurfaces:
    """Signed distances to the wall and to both endplates; all negative inside the body."""

    wall: Field
    superior: Field
    inferior: Field


def _section_radius(shape: BodyShape, points: Points) -> Field:
    """Superelliptic radius of the points: 1 on the wall."""
    x, y, z = points
    level = np.clip(z * np.float32(2 / shape.mean_height_mm), -1, 1)
    squared = level * level
    lip = np.where(level > 0, shape.lip_superior, shape.lip_inferior).astype(np.float32)
    lip = lip * squared * squared * squared * (y < shape.depth_mm / 4)
    width = 1 - np.float32(shape.waist) * (1 - squared) + lip
    forward = y / width * np.float32(-2 / shape.depth_mm)
    sideways = x / width * np.float32(2 / shape.width_mm)
    indent = np.exp(-((x * np.float32(1 / (0.3 * shape.width_mm))) ** 2))
    indent = 1 + np.float32(shape.canal_indent) * indent
    forward = np.where(forward < 0, forward * indent, forward)
    sideways = sideways * (1 + np.float32(shape.taper) * np.clip(forward + 0.2, 0, 1.2))
    power = np.float32(shape.exponent)
    radius = (np.abs(sideways) ** power + np.abs(forward) ** power) ** np.float32(1 / power)
    return np.asarray(radius, dtype=np.float32)


def body_surfaces(shape: BodyShape, points: Points) -> BodySurfaces:
    """Wall and endplate distances of points in the body frame."""
    x, y, z = points
    radius = _section_radius(shape, points)
    wall = (radius - 1) * np.float32(0.475 * min(shape.width_mm, shape.depth_mm))
    fraction = np.clip(0.5 - y * np.float32(1 / shape.depth_mm), -0.1, 1.1)
    half = (shape.posterior_mm + (shape.anterior_mm - shape.posterior_mm) * fraction) / 2
    half = half.astype(np.float32)
    hollow = np.clip(1 - radius * radius, 0, 1) ** np.float32(shape.dip_focus)
    bowl = np.float32(2 * shape.dip_mm) * hollow
    superior = z - half + bowl * np.float32(shape.superior_share)
    inferior = -z - half + bowl * np.float32(1 - shape.superior_share)
    if shape.uncus_mm > 0:
        lateral = np.clip((np.abs(x) * np.float32(2 / shape.width_mm) - 0.6) / 0.3, 0, 1)
        superior = superior - np.float32(shape.uncus_mm) * lateral * lateral
    return BodySurfaces(wall, superior, inferior)


def body_sdf(shape: BodyShape, points: Points) -> Field:
    """Signed distance of points in the body frame to the body, negative inside."""
    surfaces = body_surfaces(shape, points)
    plates = smooth_max(surfaces.superior, surfaces.inferior, _ENDPLATE_EDGE_MM)
    body = smooth_max(plates, surfaces.wall, _RIM_ROUNDING_MM)
    if shape.dens_mm > 0:
        base = shape.mean_height_mm / 2 - 3
        start, end = np.array([0, -1.0, base]), np.array([0, -0.5, base + shape.dens_mm])
        body = smooth_min(body, capsule_sdf(points, Capsule(start, end, 4.6, 4.8)), 3.0)
    return body


def _crossing_span(distances: Field, positions: Field) -> tuple[Field, Field]:
    """First and last zero crossing along the last axis, linearly interpolated."""
    inside = distances < 0
    first = inside.argmax(axis=-1)
    last = inside.shape[-1] - 1 - inside[..., ::-1].argmax(axis=-1)

    def cross(outer: Index, inner: Index) -> Field:
        a = np.take_along_axis(distances, outer[..., None], -1)[..., 0]
        b = np.take_along_axis(distances, inner[..., None], -1)[..., 0]
        weight = a / (a - b)
        return np.asarray(positions[outer] + (positions[inner] - positions[outer]) * weight)

    return cross(first - 1, first), cross(last + 1, last)


def anteroposterior_extent_mm(shape: BodyShape) -> tuple[float, float]:
    """Anterior and posterior wall (y) at mid-height, averaged over the mid-sagittal slab."""
    x = np.linspace(-SLAB_HALF_WIDTH_MM, SLAB_HALF_WIDTH_MM, 5, dtype=np.float32)
    y = np.arange(-shape.depth_mm, shape.depth_mm, 0.25, dtype=np.float32)
    grid_x, grid_y = np.meshgrid(x, y, indexing="ij")
    distances = body_sdf(_without_dens(shape), (grid_x, grid_y, np.zeros_like(grid_x)))
    front, back = _crossing_span(distances, y)
    return float(front.mean()), float(back.mean())


def station_heights(shape: BodyShape) -> Heights:
    """Heights at the three stations (see the module), from the analytic surface, in mm."""
    front, back = anteroposterior_extent_mm(shape)
    stations = np.array([ANTERIOR_STATION, MIDDLE_STATION, POSTERIOR_STATION])
    y = (back + (front - back) * stations).astype(np.float32)
    x = np.linspace(-SLAB_HALF_WIDTH_MM, SLAB_HALF_WIDTH_MM, 5, dtype=np.float32)
    reach = shape.mean_height_mm + 4
    z = np.arange(-reach, reach, 0.25, dtype=np.float32)
    points = np.meshgrid(y, x, z, indexing="ij")
    distances = body_sdf(_without_dens(shape), (points[1], points[0], points[2]))
    bottom, top = _crossing_span(distances, z)
    anterior, middle, posterior = (top - bottom).mean(axis=1)
    return Heights(float(anterior), float(middle), float(posterior))


def _without_dens(shape: BodyShape) -> BodyShape:
    return replace(shape, dens_mm=0.0)


def fit_heights(shape: BodyShape, target: Heights) -> BodyShape:
    """`shape` with planes and concavity changed so that its station heights are `target`.

    The heights are almost linear in the three parameters, so a few Newton steps on the linear
    model (planes at 15 and 85 %, concavity in the middle) leave less than 0.01 mm.
    """
    wanted = np.array([target.anterior, target.middle, target.posterior])
    edge = -2 * 0.5**shape.dip_focus
    response = np.array([[0.85, 0.15, edge], [0.5, 0.5, -2.0], [0.15, 0.85, edge]])
    for _ in range(12):
        heights = station_heights(shape)
        error = wanted - np.array([heights.anterior, heights.middle, heights.posterior])
        if np.abs(error).max() < 5e-3:
            break
        step = np.linalg.solve(response, error)
        shape = replace(
            shape,
            anterior_mm=shape.anterior_mm + step[0],
            posterior_mm=shape.posterior_mm + step[1],
            dip_mm=shape.dip_mm + step[2],
        )
    return shape


def volumetric_centroid(shape: BodyShape) -> Vector:
    """Centre of mass of the body in the body frame, in mm (float64, 3)."""
    half_x, half_y = 0.68 * shape.width_mm, 0.68 * shape.depth_mm
    bottom = -0.62 * max(shape.anterior_mm, shape.posterior_mm) - 4
    x = np.arange(-half_x, half_x + 0.5, 1.0, dtype=np.float32)
    y = np.arange(-half_y, half_y + 0.5, 1.0, dtype=np.float32)
    z = np.arange(bottom, shape.dens_mm - bottom, 0.6, dtype=np.float32)
    gx, gy, gz = np.meshgrid(x, y, z, indexing="ij", sparse=True)
    coverage = np.clip(0.5 - body_sdf(shape, (gx, gy, gz)) / 0.8, 0, 1).astype(np.float64)
    total = coverage.sum()
    return np.array([(coverage * axis).sum() / total for axis in (gx, gy, gz)])
