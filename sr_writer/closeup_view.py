"""One vertebral body cut along its own axes: the planes in which its heights were measured.

The planes are those of `inference.body_axes`: sagittal through the middle of the body, coronal
through its middle station. So the heights are vertical lines in them, at their true length.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from inference.body_axes import (
    BodyFrame,
    anteroposterior_extent_mm,
    columns_at,
    fit_frame,
    frame_from,
)
from inference.body_surface import BodySurface
from inference.heights import STATIONS
from inference.label_boxes import Box
from inference.report import Segmentation
from inference.volume import CTVolume, LabelArray
from sr_writer.findings_schema import Findings, VertebraFindings

FloatArray = npt.NDArray[np.float64]

SAMPLES = 320
"""Pixels along each side of a section."""

_DEPTHS_SHOWN = 2.6
"""Side of a section in anteroposterior depths of the body."""
_SIDE_RANGE_MM = (45.0, 120.0)
_USUAL_DEPTH_MM = 30.0
_SLAB_MM = (-0.7, 0.7)
_AIR_HU = -1024.0
_BODY_REACH_MM, _VERTEBRA_REACH_MM = 45.0, 90.0
"""No part of a body, or of its vertebra, is further from the centre of the body."""


@dataclass(frozen=True)
class Section:
    """A square section through the body; row 0 is cranial, the body is in the middle.

    Attributes
    ----------
    hu
        float32 (rows, columns).
    distance_mm
        Signed distance (rows, columns) to the body's surface, positive inside.
    letters
        Orientation of the left and right edge.
    """

    hu: npt.NDArray[np.float32]
    distance_mm: FloatArray
    letters: tuple[str, str]


@dataclass(frozen=True)
class HeightLine:
    """One measured height: where it lies in the sagittal section, as fractions of its side."""

    name: str
    height_mm: float
    across: float
    top: float
    bottom: float


@dataclass(frozen=True)
class CloseUp:
    """What the picture of one level is drawn from; no lines where the body has no extent."""

    vertebra: VertebraFindings
    sagittal: Section
    coronal: Section
    lines: tuple[HeightLine, ...]
    side_mm: float


def close_up(
    vertebra: VertebraFindings, findings: Findings, volume: CTVolume, segmentation: Segmentation
) -> CloseUp | None:
    """Cut one body out of a volume; None where the mask holds no body of that level."""
    box = _box(segmentation.bodies, vertebra, volume, _BODY_REACH_MM)
    if box is None:
        return None
    surface = BodySurface.of(volume, segmentation.bodies, int(vertebra.level), box)
    frame = fit_frame(surface, _start(vertebra, findings, segmentation, volume))
    extent = anteroposterior_extent_mm(surface, frame)
    depth_mm = extent[1] - extent[0] if extent is not None else _USUAL_DEPTH_MM
    side_mm = float(np.clip(_DEPTHS_SHOWN * depth_mm, *_SIDE_RANGE_MM))
    middle_mm = (extent[0] + extent[1]) / 2 if extent is not None else 0.0
    steps = np.linspace(-side_mm / 2, side_mm / 2, SAMPLES)
    return CloseUp(
        vertebra,
        _section(surface, frame, _sagittal(steps, middle_mm), ("A", "P")),
        _section(surface, frame, _coronal(steps, middle_mm), ("R", "L")),
        _lines(vertebra, surface, frame, (middle_mm, depth_mm, side_mm)) if extent else (),
        side_mm,
    )


def _box(
    mask: LabelArray, vertebra: VertebraFindings, volume: CTVolume, reach_mm: float
) -> Box | None:
    """Where one level lies in a mask, looked for around its centre."""
    reach = np.ceil(reach_mm / np.array(volume.spacing_kji_mm)).astype(int)
    centre = np.rint(volume.to_index_kji(vertebra.centroid_lps_mm)).astype(int)
    start = np.clip(centre - reach, 0, mask.shape)
    near = mask[tuple(slice(a, b) for a, b in zip(start, centre + reach + 1, strict=True))]
    boxes = ndimage.find_objects((near == int(vertebra.level)).view(np.uint8))
    if not boxes:
        return None
    k, j, i = (
        slice(int(a) + edge.start, int(a) + edge.stop)
        for a, edge in zip(start, boxes[0], strict=True)
    )
    return k, j, i


def _start(
    vertebra: VertebraFindings, findings: Findings, segmentation: Segmentation, volume: CTVolume
) -> BodyFrame:
    """Cranial along the spine, anterior away from the posterior elements."""
    here = np.array(vertebra.centroid_lps_mm)
    order = [v.level for v in findings.vertebrae]
    n = order.index(vertebra.level)
    above = findings.vertebrae[max(n - 1, 0)].centroid_lps_mm
    below = findings.vertebrae[min(n + 1, len(order) - 1)].centroid_lps_mm
    cranial = np.array(above) - np.array(below)
    if float(np.linalg.norm(cranial)) <= 5.0:
        cranial = np.array([0.0, 0.0, 1.0])
    label = int(vertebra.level)
    box = _box(segmentation.labels, vertebra, volume, _VERTEBRA_REACH_MM)
    anterior = np.array([0.0, -1.0, 0.0])
    if box is not None:
        arch = np.argwhere(
            (segmentation.labels[box] == label) & (segmentation.bodies[box] != label)
        )
        if len(arch):
            corner = [part.start for part in box]
            anterior = here - volume.to_lps_mm(arch.mean(axis=0) + corner)
    return frame_from(here, cranial, anterior)


def _sagittal(steps: FloatArray, middle_mm: float) -> FloatArray:
    """Points (rows, columns, 3) in the body's frame: front to the left of the picture."""
    points = np.zeros((len(steps), len(steps), 3))
    points[..., 0] = middle_mm - steps[None, :]
    points[..., 2] = -steps[:, None]
    return points


def _coronal(steps: FloatArray, middle_mm: float) -> FloatArray:
    """Points (rows, columns, 3) in the body's frame: the patient's right to the left."""
    points = np.full((len(steps), len(steps), 3), middle_mm)
    points[..., 1] = steps[None, :]
    points[..., 2] = -steps[:, None]
    return points


def _section(
    surface: BodySurface, frame: BodyFrame, points_mm: FloatArray, letters: tuple[str, str]
) -> Section:
    across = np.cross(points_mm[0, -1] - points_mm[0, 0], points_mm[-1, 0] - points_mm[0, 0])
    across /= np.linalg.norm(across)
    layers = [_hu(surface.volume, frame.to_lps_mm(points_mm + mm * across)) for mm in _SLAB_MM]
    distance = surface.at_lps(frame.to_lps_mm(points_mm))
    return Section(np.asarray(np.mean(layers, axis=0), dtype=np.float32), distance, letters)


def _hu(volume: CTVolume, points_lps_mm: FloatArray) -> npt.NDArray[np.float32]:
    index = np.moveaxis(volume.to_index_kji(points_lps_mm), -1, 0)
    sampled = ndimage.map_coordinates(
        volume.hu, index, output=np.float32, order=1, mode="constant", cval=_AIR_HU
    )
    return np.asarray(sampled, dtype=np.float32)


def _lines(
    vertebra: VertebraFindings,
    surface: BodySurface,
    frame: BodyFrame,
    sizes_mm: tuple[float, float, float],
) -> tuple[HeightLine, ...]:
    """Lines of the measured length, centred between the endplates of the mask."""
    middle_mm, depth_mm, side_mm = sizes_mm
    heights = vars(vertebra.heights_mm)
    names = [name for name in STATIONS if heights[name] is not None]
    at_mm = np.array([middle_mm + (STATIONS[name] - 0.5) * depth_mm for name in names])
    columns = columns_at(surface, frame, at_mm, np.zeros(len(names)))
    centres = (columns.lower_mm + columns.upper_mm) / 2
    return tuple(
        HeightLine(
            name,
            heights[name],
            0.5 + (middle_mm - at) / side_mm,
            0.5 - (centre + heights[name] / 2) / side_mm,
            0.5 - (centre - heights[name] / 2) / side_mm,
        )
        for name, at, centre in zip(names, at_mm, centres, strict=True)
        if np.isfinite(centre)
    )
