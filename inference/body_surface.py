"""The surface of one vertebral body as a smooth field that can be probed between voxels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from inference.bodies import signed_distance_mm
from inference.label_boxes import Box, in_voxels, widened
from inference.volume import CTVolume, LabelArray

SURFACE_SMOOTHING_MM = 0.7
"""Takes the voxel steps off the mask without moving flat faces."""
MARGIN_MM = 8.0

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class BodySurface:
    """Signed distance to one body's surface, on a crop of the source grid.

    Attributes
    ----------
    distance_mm
        float64 (k, j, i) of the crop, positive inside.
    start_kji
        Index of the crop's first voxel in the volume.
    volume
        The grid's geometry.
    voxels
        Number of voxels of the body, its cavities included.
    """

    distance_mm: FloatArray
    start_kji: tuple[int, int, int]
    volume: CTVolume
    voxels: int

    @classmethod
    def of(cls, volume: CTVolume, bodies: LabelArray, label: int, around: Box) -> BodySurface:
        """Surface of one label in `bodies`, whose voxels all lie in the box `around`."""
        spacing = np.array(volume.spacing_kji_mm)
        box = widened(around, np.maximum(2, in_voxels(MARGIN_MM, spacing)), bodies.shape)
        mask = without_cavities(bodies[box] == label, _cranial_axis(volume))
        distance = signed_distance_mm(mask, spacing)
        smooth = ndimage.gaussian_filter(distance, SURFACE_SMOOTHING_MM / spacing, mode="nearest")
        start = (box[0].start, box[1].start, box[2].start)
        return cls(smooth, start, volume, int(mask.sum()))

    @property
    def box(self) -> tuple[slice, slice, slice]:
        """The crop in the volume."""
        k, j, i = (
            slice(s, s + n) for s, n in zip(self.start_kji, self.distance_mm.shape, strict=True)
        )
        return k, j, i

    def at_lps(self, points_lps_mm: FloatArray) -> FloatArray:
        """Signed distance (...) at points (..., 3); outside the crop the nearest value holds."""
        index = self.volume.to_index_kji(points_lps_mm) - np.array(self.start_kji)
        flat = index.reshape(-1, 3).T
        value = ndimage.map_coordinates(self.distance_mm, flat, order=1, mode="nearest")
        return np.asarray(value.reshape(index.shape[:-1]))


def without_cavities(mask: npt.NDArray[np.bool_], cranial_axis: int) -> npt.NDArray[np.bool_]:
    """The mask with what it encloses: a cavity inside a body is no endplate.

    Enclosed means within one sagittal or coronal plane. Axial planes do not count: there the
    bowl of a collapsed endplate is enclosed by its rim.
    """
    filled = mask.copy()
    for across in {0, 1, 2} - {cranial_axis}:
        in_plane = ndimage.generate_binary_structure(3, 1)
        in_plane[tuple(slice(None) if axis != across else [0, 2] for axis in range(3))] = False
        parts, count = ndimage.label(~mask, in_plane)
        outside = np.zeros(count + 1, dtype=bool)
        for axis in {0, 1, 2} - {across}:
            outside[parts.take([0, -1], axis=axis)] = True
        filled |= ~outside[parts] & (parts > 0)
    return filled


def _cranial_axis(volume: CTVolume) -> int:
    """Array axis that runs closest to the patient's long axis."""
    step = volume.affine_lps[2, :3] / np.linalg.norm(volume.affine_lps[:3, :3], axis=0)
    return int(np.abs(step).argmax())
