"""From masks to measurements: centre, volume, heights and fracture finding of every vertebra."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from inference.anatomy import VertebraLevel
from inference.bodies import Box
from inference.body_axes import BodyFrame, fit_frame, frame_from
from inference.body_surface import BodySurface
from inference.deformity import FLAG as SCHEUERMANN_FLAG
from inference.deformity import scheuermann_series
from inference.foreign_material import ForeignMaterial, find_foreign_material
from inference.fracture import GRADED_REGIONS, grade
from inference.heights import MeasuredHeights, measure_heights
from inference.report import (
    FractureFinding,
    LabelledVertebra,
    Segmentation,
    VertebraMeasurement,
)
from inference.slab import surroundings
from inference.volume import CTVolume, LabelArray

FOREIGN_FLAG = "foreign_material"
CUT_FLAG = "cut_by_field_of_view"
NO_BODY_FLAG = "body_not_separated"
NO_HEIGHTS = frozenset({VertebraLevel.C1, VertebraLevel.C2})
SMALLEST_ARCH_SHARE = 0.1
"""Posterior elements of less than this share of the body do not say where the back is."""
TOUCHING_VOXELS = 3
"""Voxels of a body in the outermost slice from which it counts as cut."""

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class _Body:
    """One vertebra while it is measured; `surface` is None where no body was separated."""

    found: LabelledVertebra
    surface: BodySurface | None
    centroid_lps_mm: FloatArray
    arch_lps_mm: FloatArray | None
    """Centre of the posterior elements; None where the mask holds hardly any."""
    complete: bool


def measure(volume: CTVolume, segmentation: Segmentation) -> tuple[VertebraMeasurement, ...]:
    """Measure every vertebra of a segmentation, head to foot.

    `volume_ml` is the volume of the vertebral body. Vertebrae cut by the field of view get no
    heights and no grade, and C1 and C2 have no comparable body; `unavailable` says so.

    Raises
    ------
    ValueError
        If masks and volume differ in shape.
    """
    if segmentation.labels.shape != volume.hu.shape:
        raise ValueError(f"masks {segmentation.labels.shape} on a volume {volume.hu.shape}")
    foreign = find_foreign_material(volume, segmentation.labels)
    whole = dict(enumerate(ndimage.find_objects(segmentation.labels), start=1))
    bodies = [
        _body(volume, segmentation, found, box)
        for found in sorted(segmentation.vertebrae, key=lambda v: v.level.rank)
        if (box := whole.get(int(found.level))) is not None
    ]
    heights: dict[VertebraLevel, MeasuredHeights] = {}
    for n, body in enumerate(bodies):
        start = _starting_frame(bodies, n)
        measured = _heights(body, start, segmentation, foreign)
        if measured is not None:
            heights[body.found.level] = measured
    findings = grade(
        {level: m.heights_mm for level, m in heights.items()},
        {level: m.uncertainty_mm for level, m in heights.items()},
    )
    series = scheuermann_series({level: m.heights_mm for level, m in heights.items()})
    return tuple(
        _measurement(
            body,
            heights.get(body.found.level),
            findings.get(body.found.level),
            _flags(body, foreign, series),
        )
        for body in bodies
    )


def _body(volume: CTVolume, segmentation: Segmentation, found: LabelledVertebra, box: Box) -> _Body:
    """Gather one vertebra; `box` holds its whole mask."""
    label = int(found.level)
    corner = np.array([part.start for part in box])
    vertebra = segmentation.labels[box] == label
    body = segmentation.bodies[box] == label
    if not body.any():
        centre = volume.to_lps_mm(np.argwhere(vertebra).mean(axis=0) + corner)
        return _Body(found, None, centre, None, found.complete)
    inner = ndimage.find_objects(body.view(np.uint8))[0]
    k, j, i = (
        slice(outer.start + part.start, outer.start + part.stop)
        for outer, part in zip(box, inner, strict=True)
    )
    surface = BodySurface.of(volume, segmentation.bodies, label, (k, j, i))
    rest = np.argwhere(vertebra & ~body)
    arch = None
    if rest.shape[0] > SMALLEST_ARCH_SHARE * surface.voxels:
        arch = volume.to_lps_mm(rest.mean(axis=0) + corner)
    complete = found.complete and not _touches_edge(segmentation.bodies, label, (k, j, i))
    centre = volume.to_lps_mm(np.argwhere(body).mean(axis=0) + corner)
    return _Body(found, surface, centre, arch, complete)


def _touches_edge(bodies: LabelArray, label: int, box: Box) -> bool:
    here = bodies[box] == label
    for axis, (part, size) in enumerate(zip(box, bodies.shape, strict=True)):
        first = part.start == 0 and here.take(0, axis=axis).sum() >= TOUCHING_VOXELS
        last = part.stop == size and here.take(-1, axis=axis).sum() >= TOUCHING_VOXELS
        if first or last:
            return True
    return False


def _starting_frame(bodies: list[_Body], n: int) -> BodyFrame:
    """Cranial along the spine's course, anterior away from the posterior elements."""
    here = bodies[n].centroid_lps_mm
    with_body = [b.centroid_lps_mm for b in bodies[: n + 1] if b.surface is not None]
    above = with_body[-2] if len(with_body) > 1 else here
    below = next((b.centroid_lps_mm for b in bodies[n + 1 :] if b.surface is not None), here)
    tangent = above - below
    cranial = tangent if float(np.linalg.norm(tangent)) > 5.0 else np.array([0.0, 0.0, 1.0])
    arch = bodies[n].arch_lps_mm
    anterior = np.array([0.0, -1.0, 0.0]) if arch is None else here - arch
    return frame_from(here, cranial, anterior)


def _heights(
    body: _Body, start: BodyFrame, segmentation: Segmentation, foreign: ForeignMaterial
) -> MeasuredHeights | None:
    measurable = body.complete and body.found.level not in NO_HEIGHTS
    if body.surface is None or not measurable:
        return None
    frame = fit_frame(body.surface, start)
    label = int(body.found.level)
    around = surroundings(body.surface, segmentation.labels, foreign.mask, label)
    return measure_heights(body.surface, frame, around)


def _flags(
    body: _Body, foreign: ForeignMaterial, series: tuple[VertebraLevel, ...]
) -> tuple[str, ...]:
    conditions = {
        CUT_FLAG: not body.complete,
        NO_BODY_FLAG: body.surface is None,
        FOREIGN_FLAG: body.found.level in foreign.volume_ml,
        SCHEUERMANN_FLAG: body.found.level in series,
    }
    return tuple(flag for flag, holds in conditions.items() if holds)


def _measurement(
    body: _Body,
    heights: MeasuredHeights | None,
    finding: FractureFinding | None,
    flags: tuple[str, ...],
) -> VertebraMeasurement:
    unavailable: dict[str, str] = {}
    if heights is None:
        reason = _why_no_heights(body)
        unavailable = dict.fromkeys(("heights_mm", "height_loss", "genant"), reason)
    elif finding is None:
        reason = f"graded in regions {' and '.join(GRADED_REGIONS)} only"
        unavailable = dict.fromkeys(("height_loss", "genant"), reason)
    volume_ml = None
    if body.surface is None:
        unavailable["volume_ml"] = "no vertebral body could be separated from the mask"
    elif not body.complete:
        unavailable["volume_ml"] = _why_no_heights(body)
    else:
        voxel_mm3 = float(np.prod(body.surface.volume.spacing_kji_mm))
        volume_ml = body.surface.voxels * voxel_mm3 / 1000.0
    x, y, z = (float(value) for value in body.centroid_lps_mm)
    return VertebraMeasurement(
        level=body.found.level,
        confidence=body.found.confidence,
        complete=body.complete,
        centroid_lps_mm=(x, y, z),
        volume_ml=volume_ml,
        heights_mm=None if heights is None else heights.heights_mm,
        fracture=finding,
        unavailable=unavailable,
        flags=flags,
        height_uncertainty_mm=None if heights is None else heights.uncertainty_mm,
    )


def _why_no_heights(body: _Body) -> str:
    if not body.complete:
        return "the vertebral body is cut by the field of view"
    if body.found.level in NO_HEIGHTS:
        return f"{body.found.level.name} has no body with two endplates"
    if body.surface is None:
        return "no vertebral body could be separated from the mask"
    return "the endplates could not be followed"
