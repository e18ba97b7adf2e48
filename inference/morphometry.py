"""From masks to measurements: centre, volume, heights and fracture finding of every vertebra."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from inference.anatomy import VertebraLevel
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
from inference.volume import CTVolume

FOREIGN_FLAG = "foreign_material"
CUT_FLAG = "cut_by_field_of_view"
NO_BODY_FLAG = "body_not_separated"
NO_HEIGHTS = frozenset({VertebraLevel.C1, VertebraLevel.C2})
TOUCHING_VOXELS = 3
"""Voxels of a body in the outermost slice from which it counts as cut."""

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class _Body:
    """One vertebra while it is measured; `surface` is None where no body was separated."""

    found: LabelledVertebra
    surface: BodySurface | None
    centroid_lps_mm: FloatArray
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
    ordered = sorted(segmentation.vertebrae, key=lambda v: v.level.rank)
    bodies = [body for v in ordered if (body := _body(volume, segmentation, v)) is not None]
    heights: dict[VertebraLevel, MeasuredHeights] = {}
    for n, body in enumerate(bodies):
        start = _starting_frame(segmentation, bodies, n)
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


def _body(volume: CTVolume, segmentation: Segmentation, found: LabelledVertebra) -> _Body | None:
    label = int(found.level)
    surface = BodySurface.of(volume, segmentation.bodies, label)
    if surface is not None:
        complete = found.complete and not _touches_edge(segmentation.bodies == label)
        return _Body(found, surface, surface.centroid_lps_mm(), complete)
    whole = np.argwhere(segmentation.labels == label)
    if whole.size == 0:
        return None
    return _Body(found, None, volume.to_lps_mm(whole.mean(axis=0)), found.complete)


def _touches_edge(mask: npt.NDArray[np.bool_]) -> bool:
    faces = [mask.take(index, axis=axis) for axis in range(3) for index in (0, -1)]
    return any(int(face.sum()) >= TOUCHING_VOXELS for face in faces)


def _starting_frame(segmentation: Segmentation, bodies: list[_Body], n: int) -> BodyFrame | None:
    """Cranial along the spine's course, anterior away from the posterior elements."""
    body = bodies[n]
    if body.surface is None:
        return None
    with_body = [b for b in bodies if b.surface is not None]
    at = with_body.index(body)
    above = with_body[max(0, at - 1)].centroid_lps_mm
    below = with_body[min(len(with_body) - 1, at + 1)].centroid_lps_mm
    tangent = above - below
    cranial = tangent if float(np.linalg.norm(tangent)) > 5.0 else np.array([0.0, 0.0, 1.0])
    label = int(body.found.level)
    rest = np.argwhere((segmentation.labels == label) & (segmentation.bodies != label))
    anterior = np.array([0.0, -1.0, 0.0])
    if rest.shape[0] > 0.1 * body.surface.voxels:
        anterior = body.centroid_lps_mm - body.surface.volume.to_lps_mm(rest.mean(axis=0))
    return frame_from(body.centroid_lps_mm, cranial, anterior)


def _heights(
    body: _Body, start: BodyFrame | None, segmentation: Segmentation, foreign: ForeignMaterial
) -> MeasuredHeights | None:
    measurable = body.complete and body.found.level not in NO_HEIGHTS
    if body.surface is None or start is None or not measurable:
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
