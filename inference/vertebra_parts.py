"""One vertebra's mask taken apart: body surface, posterior elements, whether all of it is seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from inference.body_surface import BodySurface
from inference.label_boxes import Box
from inference.report import LabelledVertebra, Segmentation
from inference.volume import CTVolume, LabelArray

SMALLEST_ARCH_SHARE = 0.1
"""Posterior elements of less than this share of the body do not say where the back is."""
TOUCHING_VOXELS = 3
"""Voxels of a body in the outermost slice from which it counts as cut."""

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class VertebraParts:
    """One vertebra while it is measured; `surface` is None where no body was separated."""

    found: LabelledVertebra
    surface: BodySurface | None
    centroid_lps_mm: FloatArray
    arch_lps_mm: FloatArray | None
    """Centre of the posterior elements; None where the mask holds hardly any."""
    complete: bool


def take_apart(segmentation: Segmentation, volume: CTVolume) -> list[VertebraParts]:
    """Every vertebra of a segmentation that has voxels, from head to foot."""
    whole = dict(enumerate(ndimage.find_objects(segmentation.labels), start=1))
    return [
        _parts(volume, segmentation, found, box)
        for found in sorted(segmentation.vertebrae, key=lambda v: v.level.rank)
        if (box := whole.get(int(found.level))) is not None
    ]


def _parts(
    volume: CTVolume, segmentation: Segmentation, found: LabelledVertebra, box: Box
) -> VertebraParts:
    """Gather one vertebra; `box` holds its whole mask."""
    label = int(found.level)
    corner = np.array([part.start for part in box])
    vertebra = segmentation.labels[box] == label
    body = segmentation.bodies[box] == label
    if not body.any():
        centre = volume.to_lps_mm(np.argwhere(vertebra).mean(axis=0) + corner)
        return VertebraParts(found, None, centre, None, found.complete)
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
    return VertebraParts(found, surface, centre, arch, complete)


def _touches_edge(bodies: LabelArray, label: int, box: Box) -> bool:
    here = bodies[box] == label
    for axis, (part, size) in enumerate(zip(box, bodies.shape, strict=True)):
        first = part.start == 0 and here.take(0, axis=axis).sum() >= TOUCHING_VOXELS
        last = part.stop == size and here.take(-1, axis=axis).sum() >= TOUCHING_VOXELS
        if first or last:
            return True
    return False
