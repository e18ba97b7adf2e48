"""Signed distances of all bones on a grid, each shape evaluated only inside its own box."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from inference.phantom.anatomy import SpineAnatomy, Vertebra, disc_sdf
from inference.phantom.body import BodyShape, body_sdf
from inference.phantom.grid import Box, Grid, crop, inner_box
from inference.phantom.pelvis import hip_rods, ilium_sdf, sacral_canal_sdf, sacrum_sdf
from inference.phantom.posterior import ARCH_FILLET_MM, ArchShape, arch_rods, canal_sdf
from inference.phantom.shapes import (
    FAR_MM,
    Capsule,
    Field,
    Points,
    Vector,
    capsule_sdf,
    smooth_min,
)
from inference.phantom.shoulder import shoulder_rods
from inference.volume import LabelArray

BODY_FILLET_MM = 2.0
"""Radius with which the pedicles run into the body."""
FACET_GAP_MM = 1.4
"""Width of the joint space that is kept between neighbouring bones."""
_SKIN_MM = 3.0
_RIB_REACH_MM = 20.0
_UPRIGHT = np.eye(3)


@dataclass
class BoneFields:
    """Distances in mm (float32, `FAR_MM` where not evaluated) and owners on one grid.

    Attributes
    ----------
    vertebra
        To the nearest vertebra, after joint spaces have been cut.
    owner
        VerSe label of that vertebra.
    in_body
        Whether its body is nearer than its arch.
    sacrum, rib, pelvis, canal, disc
        To these structures; `pelvis` also holds the other bones of the trunk: femora, breastbone
        and shoulder blades.
    """

    vertebra: Field
    owner: LabelArray
    in_body: npt.NDArray[np.bool_]
    sacrum: Field
    rib: Field
    pelvis: Field
    canal: Field
    disc: Field

    @property
    def bone(self) -> Field:
        """To the nearest bone of any kind."""
        spine = np.minimum(self.vertebra, self.sacrum)
        return np.minimum(spine, np.minimum(self.rib, self.pelvis))


def bone_fields(anatomy: SpineAnatomy, grid: Grid) -> BoneFields:
    """Evaluate every bone of `anatomy` on `grid`."""

    def far() -> Field:
        return np.full(grid.shape_kji, FAR_MM, dtype=np.float32)

    shape = grid.shape_kji
    fields = BoneFields(
        far(), np.zeros(shape, np.uint8), np.zeros(shape, bool), far(), far(), far(), far(), far()
    )
    second = far()
    for vertebra in anatomy.vertebrae:
        _add_vertebra(fields, second, vertebra, grid)
    _add_sacrum(fields, anatomy, grid)
    for rib in anatomy.ribs:
        near = grid.near(rib.path_lps_mm, _RIB_REACH_MM)
        rods = tuple(rod for rod, a, b in zip(rib.rods(), near, near[1:], strict=False) if a | b)
        _add_rods(fields.rib, rods, grid, (_UPRIGHT, np.zeros(3)))
    _add_pelvis(fields, anatomy, grid)
    centers = {v.level: v.center_lps_mm for v in anatomy.vertebrae}
    shoulder = tuple(shoulder_rods(centers, anatomy.scale))
    _add_rods(fields.pelvis, shoulder, grid, (_UPRIGHT, np.zeros(3)))
    _add_discs(fields, anatomy, grid)
    _cut_joints(fields, second)
    return fields


@lru_cache(maxsize=512)
def _reach(body: BodyShape, arch: ArchShape) -> tuple[Vector, Vector]:
    """Corners, in the body frame, of the box that holds a vertebra."""
    corner = np.array([body.width_mm, body.depth_mm, body.mean_height_mm]) * 0.62 + 5
    low, high = -corner, corner + np.array([0, 0, body.dens_mm])
    for rod in arch_rods(arch):
        rod_low, rod_high = rod.bounds(_SKIN_MM)
        low, high = np.minimum(low, rod_low), np.maximum(high, rod_high)
    return low, high


def _add_vertebra(fields: BoneFields, second: Field, vertebra: Vertebra, grid: Grid) -> None:
    frame = (vertebra.rotation, vertebra.center_lps_mm)
    low, high = _reach(vertebra.body, vertebra.arch)
    box = grid.box(low, high, frame)
    if box is None:
        return
    points = grid.local_points(box, *frame)
    extent = np.broadcast(*points).shape
    body = np.full(extent, FAR_MM, np.float32)
    reach = np.array([vertebra.body.width_mm, vertebra.body.depth_mm, 0]) * 0.62 + 5
    reach[2] = vertebra.body.mean_height_mm * 0.62 + 6
    top = reach + np.array([0, 0, vertebra.body.dens_mm])
    body_box = grid.box(-reach, top, frame)
    if body_box is not None and (part := inner_box(box, body_box)) is not None:
        body[part] = body_sdf(vertebra.body, crop(points, part))
    arch = _arch_in_boxes(vertebra, points, box, grid)
    canal = np.broadcast_to(canal_sdf(vertebra.arch, points), extent)
    tall = vertebra.arch.body_height_mm / 2 + 5
    tube = np.where(np.abs(points[2]) < tall, canal, FAR_MM)
    fields.canal[box] = np.minimum(fields.canal[box], tube)
    arch = np.maximum(arch, -canal)
    whole = smooth_min(body, arch, BODY_FILLET_MM)
    # the fillet belongs to the arch, so that bodies keep their measured posterior wall
    inside_body = body < np.minimum(arch, 0)
    inside_body |= (body <= arch) & (whole >= 0)
    best = fields.vertebra[box]
    nearer = whole < best
    second[box] = np.where(nearer, best, np.minimum(second[box], whole))
    fields.vertebra[box] = np.where(nearer, whole, best)
    fields.owner[box] = np.where(nearer, np.uint8(vertebra.level), fields.owner[box])
    fields.in_body[box] = np.where(nearer, inside_body, fields.in_body[box])


def _arch_in_boxes(vertebra: Vertebra, points: Points, box: Box, grid: Grid) -> Field:
    frame = (vertebra.rotation, vertebra.center_lps_mm)
    arch = np.full(np.broadcast(*points).shape, FAR_MM, np.float32)
    for rod in arch_rods(vertebra.arch):
        rod_box = grid.box(*rod.bounds(_SKIN_MM), frame)
        if rod_box is None or (part := inner_box(box, rod_box)) is None:
            continue
        arch[part] = smooth_min(arch[part], capsule_sdf(crop(points, part), rod), ARCH_FILLET_MM)
    return arch


def _add_rods(
    target: Field,
    rods: tuple[Capsule, ...],
    grid: Grid,
    frame: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]],
) -> None:
    for rod in rods:
        box = grid.box(*rod.bounds(_SKIN_MM), frame)
        if box is not None:
            distance = capsule_sdf(grid.local_points(box, *frame), rod)
            target[box] = np.minimum(target[box], distance)


def _add_sacrum(fields: BoneFields, anatomy: SpineAnatomy, grid: Grid) -> None:
    sacrum = anatomy.sacrum
    frame = (sacrum.rotation, sacrum.center_lps_mm)
    low, high = np.array([-66, -28, -112.0]), np.array([66, 62, 16.0])
    box = grid.box(low * sacrum.scale, high * sacrum.scale, frame)
    if box is None:
        return
    points = grid.local_points(box, *frame)
    fields.sacrum[box] = sacrum_sdf(sacrum, points)
    tube = np.where(points[2] < 4, sacral_canal_sdf(sacrum, points), FAR_MM)
    fields.canal[box] = np.minimum(fields.canal[box], tube)


def _add_pelvis(fields: BoneFields, anatomy: SpineAnatomy, grid: Grid) -> None:
    scale, origin = anatomy.scale, anatomy.sacrum.center_lps_mm
    frame = (_UPRIGHT, origin)
    low, high = np.array([-138, -90, -116.0]), np.array([138, 60, 36.0])
    box = grid.box(low * scale, high * scale, frame)
    if box is not None:
        blade = ilium_sdf(scale, grid.local_points(box, *frame))
        fields.pelvis[box] = np.minimum(fields.pelvis[box], blade)
    hips, femora = hip_rods(scale)
    femur = np.full(grid.shape_kji, FAR_MM, np.float32) if box is not None else None
    _add_rods(fields.pelvis, tuple(hips + [rod.mirrored() for rod in hips]), grid, frame)
    if femur is None:
        femur = np.full(grid.shape_kji, FAR_MM, np.float32)
    _add_rods(femur, tuple(femora + [rod.mirrored() for rod in femora]), grid, frame)
    gap = np.float32(FACET_GAP_MM)
    socket = np.maximum(fields.pelvis, gap - femur)
    fields.pelvis = np.minimum(socket, femur)


def _add_discs(fields: BoneFields, anatomy: SpineAnatomy, grid: Grid) -> None:
    sacrum = anatomy.sacrum
    rows = [(v.body, v.rotation, v.center_lps_mm) for v in anatomy.vertebrae]
    rows.append((sacrum.endplate, sacrum.rotation, sacrum.first_body_center_lps_mm))
    for (upper, above, top), (lower, below, bottom) in pairwise(rows):
        reach = np.array([lower.width_mm * 0.62, lower.depth_mm * 0.62, 0]) + 3
        low = np.array([-reach[0], -reach[1], 0.0])
        high = np.array([reach[0], reach[1], _disc_ceiling(lower, bottom, below, top)])
        box = grid.box(low, high, (below, bottom))
        if box is None:
            continue
        points_above = grid.local_points(box, above, top)
        points_below = grid.local_points(box, below, bottom)
        disc = disc_sdf((upper, lower), points_above, points_below)
        facing = (points_below[2] > 0) & (points_above[2] < 0)
        disc = np.where(facing, disc, FAR_MM)
        fields.disc[box] = np.minimum(fields.disc[box], disc)


def _disc_ceiling(
    lower: BodyShape,
    bottom: npt.NDArray[np.float64],
    rotation: npt.NDArray[np.float64],
    top: npt.NDArray[np.float64],
) -> float:
    return max(float((top - bottom) @ rotation[:, 2]), lower.mean_height_mm) + 2


def _cut_joints(fields: BoneFields, second: Field) -> None:
    """Keep a joint space between bones that would touch: each loses half of the gap."""
    half = np.float32(FACET_GAP_MM / 2)
    others = np.minimum(second, np.minimum(fields.sacrum, fields.rib))
    spine = fields.vertebra
    fields.vertebra = np.maximum(spine, (spine - others) / 2 + half)
    near = np.minimum(spine, fields.pelvis)
    fields.sacrum = np.maximum(fields.sacrum, (fields.sacrum - near) / 2 + half)
    bones = np.minimum(spine, fields.sacrum)
    fields.rib = np.maximum(fields.rib, (fields.rib - bones) / 2 + half)
    fields.pelvis = np.maximum(fields.pelvis, (fields.pelvis - bones) / 2 + half)
