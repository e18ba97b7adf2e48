"""From masks to measurements: centre, volume, heights and fracture finding of every vertebra."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from inference.anatomy import VertebraLevel
from inference.body_axes import BodyFrame, fit_frame, frame_from
from inference.body_geometry import MeasuredBody, measure_body
from inference.body_surface import BodySurface
from inference.deformity import SERIES_FLAG, SHORT_FLAG, is_short_vertebra, scheuermann_series
from inference.endplate_pits import pit_remark
from inference.foreign_material import ForeignMaterial, find_foreign_material
from inference.fracture import grade, with_remark
from inference.height_plausibility import implausible_heights
from inference.measurement import FOREIGN_FLAG, NO_HEIGHTS, measurement
from inference.report import FractureFinding, Segmentation, VertebraMeasurement
from inference.slab import surroundings
from inference.vertebra_parts import VertebraParts, take_apart
from inference.volume import CTVolume

FloatArray = npt.NDArray[np.float64]
Bodies = dict[VertebraLevel, MeasuredBody]
Findings = dict[VertebraLevel, FractureFinding]


def measure(
    volume: CTVolume, segmentation: Segmentation, foreign: ForeignMaterial | None = None
) -> tuple[VertebraMeasurement, ...]:
    """Measure every vertebra of a segmentation, head to foot.

    `volume_ml` is the volume of the vertebral body. Vertebrae cut by the field of view get no
    heights and no grade, and C1 and C2 have no comparable body; `unavailable` says so.

    Parameters
    ----------
    foreign
        Metal and cement in the masks of `segmentation`; None looks for it.

    Raises
    ------
    ValueError
        If masks and volume differ in shape.
    """
    if segmentation.labels.shape != volume.hu.shape:
        raise ValueError(f"masks {segmentation.labels.shape} on a volume {volume.hu.shape}")
    material = foreign or find_foreign_material(volume, segmentation.labels)
    vertebrae = take_apart(segmentation, volume)
    bodies: Bodies = {}
    for n, parts in enumerate(vertebrae):
        body = _body(vertebrae, n, segmentation, material)
        if body is not None:
            bodies[parts.found.level] = body
    implausible = implausible_heights({level: b.heights_mm for level, b in bodies.items()})
    believed = {level: b for level, b in bodies.items() if level not in implausible}
    findings = _findings(believed)
    flags = _flags(believed, findings, material)
    return tuple(
        measurement(
            parts,
            bodies.get(level),
            findings.get(level),
            tuple(flag for flag, levels in flags.items() if level in levels),
            implausible.get(level),
        )
        for parts in vertebrae
        for level in (parts.found.level,)
    )


def _findings(bodies: Bodies) -> Findings:
    findings = grade(
        {level: b.heights_mm for level, b in bodies.items()},
        {level: b.height_uncertainty_mm for level, b in bodies.items()},
    )
    return {
        level: with_remark(finding, pit_remark(bodies[level].pits))
        for level, finding in findings.items()
    }


def _flags(
    bodies: Bodies, findings: Findings, foreign: ForeignMaterial
) -> dict[str, set[VertebraLevel]]:
    """Flags that need more than one vertebra or its mask alone, with their levels."""
    heights = {level: b.heights_mm for level, b in bodies.items()}
    return {
        FOREIGN_FLAG: set(foreign.volume_ml),
        SERIES_FLAG: set(scheuermann_series(heights)),
        SHORT_FLAG: {
            level
            for level, found in findings.items()
            if is_short_vertebra(level, heights[level], found)
        },
    }


def body_frame(surface: BodySurface, vertebrae: list[VertebraParts], n: int) -> BodyFrame:
    """Own frame of the body of vertebra `n`, whose surface is given."""
    return fit_frame(surface, _starting_frame(vertebrae, n))


def _starting_frame(vertebrae: list[VertebraParts], n: int) -> BodyFrame:
    """Cranial along the spine's course, anterior away from the posterior elements."""
    here = vertebrae[n].centroid_lps_mm
    with_body = [v.centroid_lps_mm for v in vertebrae[: n + 1] if v.surface is not None]
    above = with_body[-2] if len(with_body) > 1 else here
    below = next((v.centroid_lps_mm for v in vertebrae[n + 1 :] if v.surface is not None), here)
    tangent = above - below
    cranial = tangent if float(np.linalg.norm(tangent)) > 5.0 else np.array([0.0, 0.0, 1.0])
    arch = vertebrae[n].arch_lps_mm
    anterior = np.array([0.0, -1.0, 0.0]) if arch is None else here - arch
    return frame_from(here, cranial, anterior)


def _body(
    vertebrae: list[VertebraParts], n: int, segmentation: Segmentation, foreign: ForeignMaterial
) -> MeasuredBody | None:
    parts = vertebrae[n]
    measurable = parts.complete and parts.found.level not in NO_HEIGHTS
    if parts.surface is None or not measurable:
        return None
    frame = body_frame(parts.surface, vertebrae, n)
    level = parts.found.level
    around = surroundings(parts.surface, segmentation, foreign.mask, int(level))
    body = measure_body(parts.surface, frame, around)
    if body is None or level not in foreign.volume_ml:
        return body
    # where a mask leaves out metal or cement its hollows are the material's bed
    return replace(body, pits=())
