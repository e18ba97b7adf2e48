"""From a CT volume to the network's input, and the mapping between both grids.

Everything between here and `inference.fusion` works on the canonical 2 mm grid: axis 0 runs to
the head, axis 1 to the back, axis 2 to the left (`inference.axes`), cropped to the patient.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from inference.axes import AxisOrder, to_canonical
from inference.resampling import FloatArray, resample_slices, sampling_matrix
from inference.volume import CTVolume, HUArray

VOXEL_MM = 2.0
AIR_HU = -1024
_PATIENT_HU = -400
_COARSE_MM = 6.0
_MARGIN_MM = 12.0

_Scalar = TypeVar("_Scalar", bound=np.generic)


@dataclass(frozen=True)
class NetworkGrid:
    """The 2 mm grid over the patient, and where it lies in the source.

    Attributes
    ----------
    order
        How canonical axes were taken from the source axes.
    source_shape
        Shape of the source in canonical order.
    source_spacing_mm
        Spacing of the source in canonical order.
    start
        First source voxel (canonical order) of the cropped box.
    stop
        One past the last source voxel of the box.
    """

    order: AxisOrder
    source_shape: tuple[int, int, int]
    source_spacing_mm: tuple[float, float, float]
    start: tuple[int, int, int]
    stop: tuple[int, int, int]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of the 2 mm grid, in canonical order."""
        z, y, x = (
            max(1, round((stop - start) * spacing / VOXEL_MM))
            for start, stop, spacing in zip(
                self.start, self.stop, self.source_spacing_mm, strict=True
            )
        )
        return z, y, x

    def to_source(self, axis: int, index: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Source indices (canonical order) along one axis of grid indices."""
        scale = VOXEL_MM / self.source_spacing_mm[axis]
        return self.start[axis] + (np.asarray(index, dtype=np.float64) + 0.5) * scale - 0.5

    def from_source(self, axis: int, index: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Grid indices along one axis of source indices (canonical order)."""
        scale = self.source_spacing_mm[axis] / VOXEL_MM
        offset = np.asarray(index, dtype=np.float64) - self.start[axis]
        return (offset + 0.5) * scale - 0.5


@dataclass(frozen=True)
class PreparedVolume:
    """HU of a volume on the canonical 2 mm grid, and in full resolution in canonical order."""

    hu: FloatArray
    source_hu: HUArray
    grid: NetworkGrid


def prepare(volume: CTVolume) -> PreparedVolume:
    """Reorder, crop to the patient and resample to 2 mm with an anti-aliasing kernel."""
    source_hu, affine_lps, order = to_canonical(volume.hu, volume.affine_lps)
    z, y, x = (float(s) for s in np.linalg.norm(affine_lps[:3, :3], axis=0))
    spacing = (z, y, x)
    start, stop = patient_box(source_hu, spacing)
    depth, rows, columns = source_hu.shape
    grid = NetworkGrid(order, (depth, rows, columns), spacing, start, stop)
    matrices = [
        sampling_matrix(
            stop[axis] - start[axis],
            grid.to_source(axis, np.arange(grid.shape[axis])) - start[axis],
            VOXEL_MM / spacing[axis],
        )
        for axis in range(3)
    ]
    box = source_hu[tuple(slice(a, b) for a, b in zip(start, stop, strict=True))]
    return PreparedVolume(resample_slices(box, matrices, AIR_HU), source_hu, grid)


def patient_box(
    hu: HUArray, spacing_mm: tuple[float, float, float]
) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """Bounding box (start, stop) of the patient: air, clothes and most of the table are outside."""
    steps = [max(1, round(_COARSE_MM / s)) for s in spacing_mm]
    coarse = hu[:: steps[0], :: steps[1], :: steps[2]] > _PATIENT_HU
    opened = ndimage.binary_opening(coarse, iterations=1)
    labels, count = ndimage.label(opened if opened.any() else coarse)
    if count == 0:
        return (0, 0, 0), _triple(hu.shape)
    largest = int(np.argmax(np.bincount(labels.ravel())[1:]))
    found = ndimage.find_objects(labels)[largest]
    start, stop = [], []
    for axis, extent in enumerate(found):
        margin = int(np.ceil(_MARGIN_MM / spacing_mm[axis]))
        start.append(max(0, extent.start * steps[axis] - margin))
        stop.append(min(hu.shape[axis], extent.stop * steps[axis] + margin))
    start[0], stop[0] = without_blank_slices(hu, start[0], stop[0])
    return _triple(start), _triple(stop)


def without_blank_slices(hu: HUArray, start: int, stop: int) -> tuple[int, int]:
    """Padded slices end the view: what is blank there was not seen to be absent."""
    while start < stop - 1 and not (hu[start] > _PATIENT_HU).any():
        start += 1
    while stop > start + 1 and not (hu[stop - 1] > _PATIENT_HU).any():
        stop -= 1
    return start, stop


def _triple(values: npt.ArrayLike) -> tuple[int, int, int]:
    a, b, c = (int(v) for v in np.asarray(values))
    return a, b, c


def hu_windows(hu: FloatArray) -> FloatArray:
    """Two channels (2, ...): a bone window and a soft-tissue window, each about -2 to 3."""
    bone = (np.clip(hu, -300, 1200) - 200) / 350
    soft = (np.clip(hu, -160, 240) - 40) / 110
    return np.stack([bone, soft]).astype(np.float32)


def to_network_order(array: npt.NDArray[_Scalar]) -> npt.NDArray[_Scalar]:
    """Canonical axes (..., S, P, L) to the network's (..., R, A, S)."""
    lead = tuple(range(array.ndim - 3))
    flipped = array[..., :, ::-1, ::-1]
    return np.ascontiguousarray(flipped.transpose(*lead, -1, -2, -3))


def from_network_order(array: npt.NDArray[_Scalar]) -> npt.NDArray[_Scalar]:
    """Undo `to_network_order`."""
    lead = tuple(range(array.ndim - 3))
    moved = array.transpose(*lead, -1, -2, -3)
    return np.ascontiguousarray(moved[..., :, ::-1, ::-1])
