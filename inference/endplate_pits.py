"""Schmorl-like pits: narrow, steep hollows of an endplate that are no loss of body height.

A fracture lowers an endplate smoothly over most of its breadth; a pit (Schmorl's node) is a hole
in an endplate that keeps its place around it. A smooth bowl is fitted to the whole endplate with
weights that ignore what lies far off; what then lies deep below the bowl, on a small part of the
endplate, is a pit. Heights are read across its mouth, as a reader does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from inference.body_axes import BodyFrame, Columns, columns_at, lateral_half_width_mm
from inference.body_surface import BodySurface

GRID = (25, 21)
"""Places along and across the endplate."""
ALONG_SHARE, ACROSS_SHARE = 0.92, 0.85
RADIUS = 0.92
"""Places further out, as a share of the endplate's ellipse, belong to the rim."""
OUTLIER_MM = 2.5
"""Tukey's constant of the fit: further off, a place does not count."""
ROUNDS = 10
PIT_FROM_MM = 1.5
"""Places this far below the bowl form the pit, if its deepest one reaches `SMALLEST_DEPTH_MM`."""
SMALLEST_DEPTH_MM = 3.0
SMALLEST_SHARE, LARGEST_SHARE = 0.015, 0.25
"""Of the endplate; a larger hollow is a collapsed endplate."""
FEWEST_PLACES = 60
REFITS = 3
WALL_PLACES = 1

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Bowl:
    """Smooth endplate z(s, x) over an ellipse; `centre_mm` and `half_mm` along s and x."""

    centre_mm: tuple[float, float]
    half_mm: tuple[float, float]
    coefficients: FloatArray

    def at(self, s: FloatArray, x: FloatArray) -> FloatArray:
        """Height of the bowl."""
        return np.asarray(_basis(*self._normalised(s, x)) @ self.coefficients)

    def _normalised(self, s: FloatArray, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        return (
            np.asarray((s - self.centre_mm[0]) / self.half_mm[0]),
            np.asarray((x - self.centre_mm[1]) / self.half_mm[1]),
        )


@dataclass(frozen=True)
class Pit:
    """One pit: the bowl across its mouth, and its places."""

    upper: bool
    depth_mm: float
    share: float
    bowl: Bowl
    places_mm: FloatArray
    """(n, 2), s and x of the places inside the pit."""
    reach_mm: float

    def covers(self, s: FloatArray, x: FloatArray) -> BoolArray:
        """Which points lie over the pit."""
        apart = np.hypot(
            np.ravel(s)[:, None] - self.places_mm[None, :, 0],
            np.ravel(x)[:, None] - self.places_mm[None, :, 1],
        )
        return np.asarray((apart.min(axis=1) <= self.reach_mm).reshape(np.shape(s)))


def find_pits(
    surface: BodySurface, frame: BodyFrame, extent: tuple[float, float]
) -> tuple[Pit, ...]:
    """Pits of both endplates; at most one each.

    Parameters
    ----------
    extent
        Posterior and anterior wall in the frame, mm.
    """
    half_width = lateral_half_width_mm(surface, frame)
    back, front = extent
    centre, half = ((back + front) / 2.0, 0.0), ((front - back) / 2.0, half_width)
    u = np.linspace(-ALONG_SHARE, ALONG_SHARE, GRID[0])
    v = np.linspace(-ACROSS_SHARE, ACROSS_SHARE, GRID[1])
    grid_u, grid_v = np.meshgrid(u, v, indexing="ij")
    columns = columns_at(
        surface,
        frame,
        (centre[0] + half[0] * grid_u).ravel(),
        (centre[1] + half[1] * grid_v).ravel(),
    )
    spacing = max(half[0] * (u[1] - u[0]), half[1] * (v[1] - v[0]))
    found = (_pit(columns, upper, (centre, half), spacing) for upper in (True, False))
    return tuple(pit for pit in found if pit is not None)


def pit_remark(pits: tuple[Pit, ...]) -> str:
    """What to say of a body's pits; empty without any."""
    named = (
        f"{'upper' if pit.upper else 'lower'} endplate ({pit.depth_mm:.0f} mm deep)" for pit in pits
    )
    return f"A pit in the {' and in the '.join(named)} is bridged, not height loss." if pits else ""


def bridged(columns: Columns, pits: tuple[Pit, ...]) -> Columns:
    """The columns with the endplates drawn across the mouths of the pits."""
    s, x = columns.anterior_mm, columns.left_mm
    upper, lower = columns.upper_mm.copy(), columns.lower_mm.copy()
    for pit in pits:
        over = pit.covers(s, x)
        bowl = pit.bowl.at(s, x)
        if pit.upper:
            upper[over] = np.maximum(upper, bowl)[over]
        else:
            lower[over] = np.minimum(lower, bowl)[over]
    return Columns(s, x, lower, upper)


def _pit(
    columns: Columns,
    upper: bool,
    ellipse: tuple[tuple[float, float], tuple[float, float]],
    spacing: float,
) -> Pit | None:
    centre, half = ellipse
    outward = columns.upper_mm if upper else -columns.lower_mm
    u = (columns.anterior_mm - centre[0]) / half[0]
    v = (columns.left_mm - centre[1]) / half[1]
    inside = (np.hypot(u, v) <= RADIUS) & np.isfinite(outward)
    if inside.sum() < FEWEST_PLACES:
        return None
    within = inside.reshape(GRID)
    around = within
    for _ in range(REFITS):
        fitted = (inside & around.ravel()).nonzero()[0]
        coefficients = _robust_bowl(u[fitted], v[fitted], outward[fitted])
        below = np.zeros(u.size)
        below[inside] = (_basis(u, v) @ coefficients - outward)[inside]
        hollow = _deepest_part(below.reshape(GRID))
        # the walls of a pit would draw the bowl into it
        around = within & ~ndimage.binary_dilation(hollow, iterations=WALL_PLACES)
    # what reaches the rim is a broken or sloping edge, or a column that left through the wall
    if (hollow & ~ndimage.binary_erosion(within)).any():
        return None
    share = float(hollow.sum() / inside.sum())
    depth = float(below[hollow.ravel()].max()) if hollow.any() else 0.0
    if depth < SMALLEST_DEPTH_MM or not SMALLEST_SHARE <= share <= LARGEST_SHARE:
        return None
    places = np.stack([columns.anterior_mm, columns.left_mm], axis=1)[hollow.ravel()]
    signed = coefficients if upper else -coefficients
    return Pit(upper, depth, share, Bowl(centre, half, signed), places, 0.75 * spacing)


def _deepest_part(below: FloatArray) -> BoolArray:
    parts, _ = ndimage.label(below > PIT_FROM_MM)
    return np.asarray((parts == parts.flat[int(below.argmax())]) & (parts > 0))


def _robust_bowl(u: FloatArray, v: FloatArray, z: FloatArray) -> FloatArray:
    design = _basis(u, v)
    weight = np.ones_like(z)
    solution = np.zeros(design.shape[1])
    for _ in range(ROUNDS):
        root = np.sqrt(weight)
        solution = np.asarray(np.linalg.lstsq(design * root[:, None], z * root, rcond=None)[0])
        residual = z - design @ solution
        scale = max(OUTLIER_MM, 4.0 * float(np.median(np.abs(residual))))
        weight = np.clip(1.0 - (residual / scale) ** 2, 1e-3, None) ** 2
    return solution


def _basis(u: FloatArray, v: FloatArray) -> FloatArray:
    """Plane, curvature, and the two depths of bowl that healthy and collapsed endplates have."""
    hollow = np.clip(1.0 - u**2 - v**2, 0.0, None)
    return np.stack(
        [np.ones_like(u), u, v, u**2, u * v, v**2, u**3, hollow**2, hollow**3, u * hollow**2],
        axis=-1,
    )
