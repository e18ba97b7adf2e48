"""Was contrast agent given, and in which phase: from aorta, vena cava, kidneys and the header.

The abdominal aorta runs in front of the lumbar bodies, a little to the left, the vena cava to the
right, the kidneys beside them. In a window there, the brightest homogeneous ball of soft-tissue
density is the vessel or kidney if it is enhanced, and ordinary soft tissue if it is not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from inference.anatomy import VertebraLevel
from inference.volume import CTVolume

Interval = tuple[float, float]


@dataclass(frozen=True)
class Window:
    """Where to look, mm from a body's centre in LPS (x left, y behind), and how large a ball."""

    x_mm: Interval
    y_mm: Interval
    ball_mm: float


AORTA = Window((-15.0, 40.0), (-65.0, -12.0), 9.0)
"""The front wall of the body lies at about -15 mm; the infrarenal aorta is 15-20 mm wide."""
VENA_CAVA = Window((-42.0, -8.0), (-60.0, -10.0), 8.0)
KIDNEYS = (Window((28.0, 78.0), (-28.0, 38.0), 9.0), Window((-78.0, -28.0), (-28.0, 38.0), 9.0))
HALF_HEIGHT_MM = 8.0
VESSEL_LEVELS = (VertebraLevel.L1, VertebraLevel.L2, VertebraLevel.L3, VertebraLevel.L4)
KIDNEY_LEVELS = (VertebraLevel.T12, VertebraLevel.L1, VertebraLevel.L2)
"""Further down the windows show muscle, which is as dark as a kidney without contrast agent."""

HOMOGENEOUS_SD_HU = 30.0
PLAUSIBLE_HU = (-20.0, 500.0)
AGREEMENT_HU = 60.0

PORTAL_VENOUS_FROM_HU = 100.0
ARTERIAL_FROM_HU = 200.0
CAVA_SHARE_ARTERIAL = 0.75
"""In the arterial phase the vena cava stays below this share of the aorta."""
KIDNEY_NATIVE_TO_HU = 70.0
"""A kidney this dark has no contrast agent: what is bright in front is bowel or calcium."""
KIDNEY_LATE_FROM_HU = 120.0
"""A kidney this bright beside a dark aorta still excretes."""


@dataclass(frozen=True)
class Enhancement:
    """HU of the aorta, of the vena cava, and of the darker kidney; None where not readable."""

    aorta: float | None
    vena_cava: float | None = None
    kidney: float | None = None

    @property
    def phase(self) -> str | None:
        """``native``, ``arterial``, ``portal_venous``, ``late``, ``unspecified``, or None."""
        if self.aorta is None:
            bright = self.kidney is not None and self.kidney >= KIDNEY_LATE_FROM_HU
            return "unspecified" if bright else None
        if self.aorta < PORTAL_VENOUS_FROM_HU:
            late = self.kidney is not None and self.kidney >= KIDNEY_LATE_FROM_HU
            return "late" if late else "native"
        if self.kidney is not None and self.kidney < KIDNEY_NATIVE_TO_HU:
            return None
        first = self.vena_cava is None or self.vena_cava < CAVA_SHARE_ARTERIAL * self.aorta
        return "arterial" if self.aorta >= ARTERIAL_FROM_HU and first else "portal_venous"


def contrast_phase(
    volume: CTVolume,
    bodies: npt.NDArray[np.uint8],
    centres_lps_mm: Mapping[VertebraLevel, npt.ArrayLike],
) -> str | None:
    """``native``, ``portal_venous``, ``arterial``, ``late``, ``unspecified``, or None if unknown.

    ``unspecified``: contrast agent was given, and the phase could not be read. A missing
    ContrastBolusAgent (0018,0010) proves nothing and is not used.

    Parameters
    ----------
    bodies
        Body labels on the volume's grid; bone is excluded from the search.
    centres_lps_mm
        Of the bodies that were found, by level.
    """
    phase = enhancement(volume, bodies, centres_lps_mm).phase
    named = (volume.source.acquisition.ContrastBolusAgent or "").strip()
    return "unspecified" if phase is None and named else phase


def enhancement(
    volume: CTVolume,
    bodies: npt.NDArray[np.uint8],
    centres_lps_mm: Mapping[VertebraLevel, npt.ArrayLike],
) -> Enhancement:
    """What the vessels and kidneys show; two levels must agree on each."""

    def agreed(window: Window, levels: Sequence[VertebraLevel]) -> float | None:
        here = [centres_lps_mm[level] for level in levels if level in centres_lps_mm]
        return _agreed([ball_hu(volume, bodies, centre, window) for centre in here])

    aorta, vena_cava = (agreed(window, VESSEL_LEVELS) for window in (AORTA, VENA_CAVA))
    kidneys = [agreed(window, KIDNEY_LEVELS) for window in KIDNEYS]
    darker = min((value for value in kidneys if value is not None), default=None)
    return Enhancement(aorta, vena_cava, None if None in kidneys else darker)


def ball_hu(
    volume: CTVolume,
    bodies: npt.NDArray[np.uint8],
    centre_lps_mm: npt.ArrayLike,
    window: Window = AORTA,
) -> float | None:
    """Mean HU of the brightest homogeneous ball in a window beside one body, or None."""
    box = _box(volume, np.asarray(centre_lps_mm, dtype=np.float64), window)
    if box is None:
        return None
    hu = volume.hu[box].astype(np.float32)
    if min(hu.shape) < 1:
        return None
    hu = np.where(bodies[box] > 0, np.float32(-1000), hu)
    size = [max(1, round(window.ball_mm / s)) for s in volume.spacing_kji_mm]
    mean = ndimage.uniform_filter(hu, size, mode="nearest")
    square = ndimage.uniform_filter(hu * hu, size, mode="nearest")
    sd = np.sqrt(np.maximum(square - mean * mean, 0.0))
    candidate = (sd < HOMOGENEOUS_SD_HU) & (mean > PLAUSIBLE_HU[0]) & (mean < PLAUSIBLE_HU[1])
    if not candidate.any():
        return None
    return float(np.percentile(mean[candidate], 98))


def _agreed(estimates: Sequence[float | None]) -> float | None:
    found = [value for value in estimates if value is not None]
    if len(found) < 2:
        return None
    middle = float(np.median(found))
    agreeing = sum(abs(value - middle) <= AGREEMENT_HU / 2 for value in found)
    return middle if agreeing >= 2 and agreeing * 2 > len(found) else None


def _box(
    volume: CTVolume, centre: npt.NDArray[np.float64], window: Window
) -> tuple[slice, slice, slice] | None:
    corners = [
        centre + np.array((x, y, z))
        for x in window.x_mm
        for y in window.y_mm
        for z in (-HALF_HEIGHT_MM, HALF_HEIGHT_MM)
    ]
    index = volume.to_index_kji(np.array(corners))
    low = np.floor(index.min(axis=0)).astype(int)
    high = np.ceil(index.max(axis=0)).astype(int) + 1
    if (low < 0).any() or (high > volume.shape_kji).any():
        return None
    return slice(low[0], high[0]), slice(low[1], high[1]), slice(low[2], high[2])
