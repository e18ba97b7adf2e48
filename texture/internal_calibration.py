"""The HU scale of one scan, checked on the patient's own air, fat and muscle.

Phantomless calibration (for example Lee et al., Bone 2017;103:325, on air and blood or fat): what
these tissues should have on a 120 kVp scan against what they have gives a straight line, which
takes out a drift of the scanner or hardening by the patient's girth. Muscle is left out where
contrast agent brightens it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from inference.volume import CTVolume

EXPECTED_HU = {"air": -1000.0, "fat": -104.0, "muscle": 55.0}
"""Air by definition of the scale; subcutaneous fat and native skeletal muscle of adults as they
are usually found at 120 kVp. They are reference values of this program, not measurements."""
SEARCH_HU = {"air": (-1060.0, -940.0), "fat": (-140.0, -70.0), "muscle": (20.0, 95.0)}
BEHIND_MM = {"x": (-65.0, 65.0), "y": (12.0, 75.0)}
"""Where the muscles of the back are, from a body's centre, LPS."""
HALF_HEIGHT_MM = 8.0
HOMOGENEOUS_MM, HOMOGENEOUS_SD_HU = 5.0, 22.0
FEWEST_VOXELS = 300
LARGEST_SLOPE_CHANGE, LARGEST_SHIFT_HU = 0.08, 25.0
"""A scan further off is something else than drift, and is left as it is."""
AIR_WEIGHT = 0.05
"""Air is far from bone: it steadies the line and does not set it."""
MODE_BIN_HU = 1.0
MODE_SMOOTHING_BINS = 6.0

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class HUScale:
    """``corrected = intercept + slope * measured``, and the tissues it rests on."""

    slope: float
    intercept: float
    found_hu: dict[str, float]

    def corrected(self, hu: float) -> float:
        """HU on the standard scale."""
        return self.intercept + self.slope * hu

    @property
    def name(self) -> str:
        """As results print it."""
        tissues = ", ".join(f"{name} {hu:.0f}" for name, hu in self.found_hu.items())
        return f"scale set on {tissues} HU"


def internal_scale(
    volume: CTVolume, centres_lps_mm: Sequence[npt.ArrayLike], contrast_phase: str | None
) -> HUScale | None:
    """HU scale of a scan, or None where the tissues are not found or not believed.

    Parameters
    ----------
    centres_lps_mm
        Centres of vertebral bodies; tissues are read in the slices around them.
    """
    found = _tissues(volume, centres_lps_mm)
    if contrast_phase not in (None, "native"):
        found.pop("muscle", None)
    if "fat" not in found or len(found) < 2:
        return None
    measured = np.array(list(found.values()))
    expected = np.array([EXPECTED_HU[name] for name in found])
    weight = np.array([AIR_WEIGHT if name == "air" else 1.0 for name in found])
    slope, intercept = np.polyfit(measured, expected, 1, w=np.sqrt(weight))
    if abs(slope - 1.0) > LARGEST_SLOPE_CHANGE or abs(intercept) > LARGEST_SHIFT_HU:
        return None
    return HUScale(float(slope), float(intercept), found)


def _tissues(volume: CTVolume, centres: Sequence[npt.ArrayLike]) -> dict[str, float]:
    values: dict[str, list[FloatArray]] = {name: [] for name in EXPECTED_HU}
    for centre in centres:
        at = np.asarray(centre, dtype=np.float64)
        whole = _slices(volume, at)
        if whole is None:
            continue
        hu = volume.hu[whole].astype(np.float32)
        homogeneous = _homogeneous(hu, volume.spacing_kji_mm)
        behind = _behind(volume, whole, at)
        for name, (low, high) in SEARCH_HU.items():
            here = homogeneous & (hu > low) & (hu < high)
            values[name].append(hu[here & behind if name == "muscle" else here].astype(np.float64))
    modes = {name: _mode(parts) for name, parts in values.items()}
    return {name: mode for name, mode in modes.items() if mode is not None}


def _slices(volume: CTVolume, centre: FloatArray) -> tuple[slice, slice, slice] | None:
    """The whole field of view across the patient, `HALF_HEIGHT_MM` up and down."""
    ends = centre + np.array([[0.0, 0.0, -HALF_HEIGHT_MM], [0.0, 0.0, HALF_HEIGHT_MM]])
    index = volume.to_index_kji(ends)
    axis = int(np.abs(index[1] - index[0]).argmax())
    low = int(np.floor(index[:, axis].min()))
    high = int(np.ceil(index[:, axis].max())) + 1
    if low < 0 or high > volume.shape_kji[axis]:
        return None
    box = [slice(0, size) for size in volume.shape_kji]
    box[axis] = slice(low, high)
    return box[0], box[1], box[2]


def _homogeneous(
    hu: npt.NDArray[np.float32], spacing: tuple[float, float, float]
) -> npt.NDArray[np.bool_]:
    """Places like their surroundings, but not quite: padding is constant, scanned air is not."""
    size = [max(1, round(HOMOGENEOUS_MM / s)) for s in spacing]
    mean = ndimage.uniform_filter(hu, size, mode="nearest")
    square = ndimage.uniform_filter(hu * hu, size, mode="nearest")
    variance = square - mean * mean
    return np.asarray((variance < HOMOGENEOUS_SD_HU**2) & (variance > 0.25))


def _behind(
    volume: CTVolume, box: tuple[slice, slice, slice], centre: FloatArray
) -> npt.NDArray[np.bool_]:
    k, j, i = np.meshgrid(
        *(np.arange(part.start, part.stop) for part in box), indexing="ij", sparse=True
    )
    affine = volume.affine_lps
    x = affine[0, 0] * k + affine[0, 1] * j + affine[0, 2] * i + affine[0, 3] - centre[0]
    y = affine[1, 0] * k + affine[1, 1] * j + affine[1, 2] * i + affine[1, 3] - centre[1]
    (x0, x1), (y0, y1) = BEHIND_MM["x"], BEHIND_MM["y"]
    return np.asarray((x > x0) & (x < x1) & (y > y0) & (y < y1))


def _mode(parts: list[FloatArray]) -> float | None:
    values = np.concatenate(parts) if parts else np.empty(0)
    if values.size < FEWEST_VOXELS:
        return None
    edges = np.arange(values.min(), values.max() + 2 * MODE_BIN_HU, MODE_BIN_HU)
    counts = np.histogram(values, edges)[0].astype(np.float64)
    smooth = ndimage.gaussian_filter1d(counts, MODE_SMOOTHING_BINS, mode="constant")
    return float(edges[int(smooth.argmax())] + MODE_BIN_HU / 2)
