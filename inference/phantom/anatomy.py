"""A random spine from C2 to the sacrum: where every vertebra lies, how it is shaped, its ribs.

The patient frame is LPS in mm; its origin is the middle of the first sacral endplate. The signed
distance functions of single parts are re-exported here: `body_sdf`, `posterior_sdf` and
`canal_sdf` take points in a vertebra's body frame, `disc_sdf` those of two neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from inference.anatomy import VertebraLevel
from inference.phantom.body import BodyShape, body_sdf, body_surfaces, fit_heights
from inference.phantom.curvature import axis_rotation, place_centers, sample_angles
from inference.phantom.fractures import Fracture, fractured_heights, normal_heights
from inference.phantom.options import AnatomyOptions, present_levels, random_options
from inference.phantom.pelvis import Sacrum
from inference.phantom.posterior import ArchShape, canal_sdf, posterior_sdf
from inference.phantom.shapes import Field, Points, Vector, smooth_max
from inference.phantom.sizes import LEVEL_SIZES, LevelSize
from inference.phantom.thorax import LEFT, RIGHT, Rib, rib_form, rib_path, short_rib_path
from inference.report import Heights

__all__ = [
    "AnatomyOptions",
    "Fracture",
    "SpineAnatomy",
    "Vertebra",
    "body_sdf",
    "canal_sdf",
    "disc_sdf",
    "posterior_sdf",
    "random_options",
    "sample_anatomy",
]


@dataclass(frozen=True)
class Vertebra:
    """One vertebra in the patient frame.

    Attributes
    ----------
    center_lps_mm
        Origin of the body frame (middle of the body).
    rotation
        3x3; columns are the body frame's x (left), y (back), z (head) in LPS.
    heights
        Station heights of the body (`inference.phantom.body`), exact to 0.01 mm.
    fracture
        The fracture it carries, if any.
    """

    level: VertebraLevel
    center_lps_mm: Vector
    rotation: npt.NDArray[np.float64]
    body: BodyShape
    arch: ArchShape
    heights: Heights
    fracture: Fracture | None = None

    def to_local(self, points_lps_mm: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Body-frame coordinates (..., 3) of LPS points (..., 3)."""
        return (np.asarray(points_lps_mm) - self.center_lps_mm) @ self.rotation

    def to_lps(self, points_local_mm: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """LPS coordinates (..., 3) of body-frame points (..., 3)."""
        return np.asarray(points_local_mm) @ self.rotation.T + self.center_lps_mm


@dataclass(frozen=True)
class SpineAnatomy:
    """One patient in the patient frame; vertebrae from head to foot.

    Attributes
    ----------
    scale
        Size of the skeleton relative to an average adult.
    girth
        Size of the trunk relative to the skeleton.
    """

    vertebrae: tuple[Vertebra, ...]
    ribs: tuple[Rib, ...]
    sacrum: Sacrum
    scale: float
    girth: float = 1.0
    options: AnatomyOptions = field(default_factory=AnatomyOptions)

    def vertebra(self, level: VertebraLevel) -> Vertebra:
        """The vertebra of that level.

        Raises
        ------
        KeyError
            If this spine has no such level.
        """
        for vertebra in self.vertebrae:
            if vertebra.level == level:
                return vertebra
        raise KeyError(level.name)


def disc_sdf(bodies: tuple[BodyShape, BodyShape], upper: Points, lower: Points) -> Field:
    """Signed distance to the disc between two bodies.

    Parameters
    ----------
    bodies
        Upper and lower body.
    upper, lower
        The same points in the body frame of the upper and of the lower body.
    """
    above = body_surfaces(bodies[0], upper)
    below = body_surfaces(bodies[1], lower)
    wall = (above.wall + below.wall) * np.float32(0.5) - np.float32(0.6)
    return smooth_max(np.maximum(-above.inferior, -below.superior), wall, 2.0)


def sample_anatomy(rng: np.random.Generator, options: AnatomyOptions | None = None) -> SpineAnatomy:
    """Draw one spine; equal generators and options give equal spines.

    Requested fractures of levels that this spine lacks (T12 of an 11-rib spine) are left out.
    """
    options = options or AnatomyOptions()
    levels = present_levels(options)
    scale = 1 + options.variation * rng.uniform(-0.12, 0.12)
    sizes = [_vary(LEVEL_SIZES[level], rng, options.variation, scale) for level in levels]
    normal = normal_heights(levels, sizes, rng, options.variation)
    heights, carried = fractured_heights(
        levels, normal, options.fractures, options.reference_levels or levels
    )
    angles = sample_angles(levels, sizes, carried, heights, (rng, options))
    rotations = [axis_rotation(*row) for row in angles]
    sacral = axis_rotation(angles[-1][0] * 0.5 + rng.uniform(20, 32), *angles[-1][1:])
    discs = _disc_heights(levels, scale, rng, options)
    centers = place_centers(heights, rotations, sacral, discs)
    vertebrae = []
    for index, level in enumerate(levels):
        body = _body_shape(level, sizes[index], heights[index], carried[index], (rng, options))
        arch = _arch_shape(level, sizes[index], scale)
        vertebrae.append(
            Vertebra(
                level, centers[index], rotations[index], body, arch, heights[index], carried[index]
            )
        )
    last = sizes[-1]
    endplate = BodyShape(last.width * 1.02, last.depth * 0.95, 27 * scale, 25 * scale, 1.0)
    sacrum = Sacrum(np.zeros(3), sacral, scale, endplate, float(rng.uniform(0.6, 1.3)))
    ribs = _sample_ribs(tuple(vertebrae), scale, rng, options)
    girth = 1 + options.variation * float(rng.triangular(-0.1, 0.0, 0.2))
    return SpineAnatomy(tuple(vertebrae), ribs, sacrum, scale, girth, options)


def _vary(size: LevelSize, rng: np.random.Generator, variation: float, scale: float) -> LevelSize:
    def jitter(sd: float) -> float:
        return scale * float(np.clip(1 + variation * sd * rng.normal(), 1 - 2.5 * sd, 1 + 2.5 * sd))

    return replace(
        size,
        width=size.width * jitter(0.02),
        depth=size.depth * jitter(0.02),
        height=size.height * scale,
        canal_width=size.canal_width * jitter(0.03),
        canal_depth=size.canal_depth * jitter(0.03),
        pedicle_width=size.pedicle_width * jitter(0.05),
        pedicle_height=size.pedicle_height * jitter(0.04),
        transverse_span=size.transverse_span * jitter(0.04),
        spinous_length=size.spinous_length * jitter(0.07),
        spinous_angle=size.spinous_angle * (1 + variation * rng.uniform(-0.15, 0.15)),
    )


def _disc_heights(
    levels: tuple[VertebraLevel, ...],
    scale: float,
    rng: np.random.Generator,
    options: AnatomyOptions,
) -> list[float]:
    """Distance between the endplate planes below each level, at the axis."""
    heights = []
    for upper, lower in zip(levels, (*levels[1:], None), strict=True):
        size = LEVEL_SIZES[upper]
        above = size.height * (1 + size.anterior_ratio) / 4
        below = 0.0
        if lower is not None:
            other = LEVEL_SIZES[lower]
            below = other.height * (1 + other.anterior_ratio) / 4
        normal = max(3.0, size.spacing - above - below) * scale
        lost = rng.uniform(0.3, 0.75) if rng.random() < options.narrow_discs else 1.0
        heights.append(normal * lost * (1 + options.variation * rng.uniform(-0.1, 0.1)))
    return heights


def _body_shape(
    level: VertebraLevel,
    size: LevelSize,
    heights: Heights,
    fracture: Fracture | None,
    draw: tuple[np.random.Generator, AnatomyOptions],
) -> BodyShape:
    rng, options = draw
    widening = 1 + (0.12 * fracture.loss if fracture and fracture.type == "crush" else 0)
    thoracic = {"C": 0.02, "T": 0.16, "L": 0.04}[level.region]
    shape = BodyShape(
        width_mm=size.width * widening,
        depth_mm=size.depth * widening,
        anterior_mm=heights.anterior,
        posterior_mm=heights.posterior,
        dip_mm=1.0,
        dip_focus=3.0 if fracture else 2.0,
        superior_share=_superior_share(fracture, rng),
        waist=0.10 + options.variation * rng.uniform(-0.03, 0.03),
        canal_indent=0.10 + options.variation * rng.uniform(-0.04, 0.04),
        taper=thoracic * (1 + options.variation * rng.uniform(-0.4, 0.4)),
        exponent=2.35 + options.variation * rng.uniform(-0.15, 0.2),
        lip_superior=options.osteophytes * rng.uniform(0, 1),
        lip_inferior=options.osteophytes * rng.uniform(0, 1),
        uncus_mm=3.0 if VertebraLevel.C3 <= level <= VertebraLevel.C7 else 0.0,
        dens_mm=19.0 if level == VertebraLevel.C2 else 0.0,
    )
    return fit_heights(shape, heights)


def _superior_share(fracture: Fracture | None, rng: np.random.Generator) -> float:
    if fracture is None:
        return float(rng.uniform(0.4, 0.55))
    return float(rng.choice([0.85, 0.6, 0.5]))


def _arch_shape(level: VertebraLevel, size: LevelSize, scale: float) -> ArchShape:
    return ArchShape(
        region=level.region,
        scale=scale,
        body_width_mm=size.width,
        body_depth_mm=size.depth,
        body_height_mm=size.height,
        canal_width_mm=size.canal_width,
        canal_depth_mm=size.canal_depth,
        pedicle_width_mm=size.pedicle_width,
        pedicle_height_mm=size.pedicle_height,
        transverse_span_mm=size.transverse_span,
        spinous_length_mm=size.spinous_length,
        spinous_angle=float(np.radians(size.spinous_angle)),
    )


def _sample_ribs(
    vertebrae: tuple[Vertebra, ...],
    scale: float,
    rng: np.random.Generator,
    options: AnatomyOptions,
) -> tuple[Rib, ...]:
    thoracic = [v for v in vertebrae if v.level.region == "T"]
    sweep = 1 + options.variation * rng.uniform(-0.06, 0.06)
    ribs = []
    for number, vertebra in enumerate(thoracic, start=1):
        last = vertebra is thoracic[-1]
        length = rng.uniform(0.75, 1.25) if number >= 11 else 1.0
        form = rib_form(number, scale, sweep * length, 1.0)
        if last and options.rudimentary_last_ribs:
            path = short_rib_path(vertebra.arch, rng.uniform(12, 30) * scale)
        else:
            path = rib_path(vertebra.arch, form)
        ribs += [_place_rib(vertebra, path, side, scale) for side in (LEFT, RIGHT)]
    host = {"cervical": VertebraLevel.C7, "thirteenth": VertebraLevel.L1}
    if options.left_extra_rib in host:
        level = host[options.left_extra_rib]
        vertebra = next(v for v in vertebrae if v.level == level)
        ribs.append(_place_rib(vertebra, short_rib_path(vertebra.arch, 40 * scale), LEFT, scale))
    return tuple(ribs)


def _place_rib(vertebra: Vertebra, path: npt.NDArray[np.float64], side: int, scale: float) -> Rib:
    mirrored = path * np.array([side, 1.0, 1.0])
    return Rib(vertebra.level, side, vertebra.to_lps(mirrored), 3.0 * scale, 5.2 * scale)
