"""Was contrast agent given, and in which phase: from the header and from the aorta.

The abdominal aorta runs in front of the lumbar bodies, a little to the left. In a window there,
the brightest homogeneous ball of soft-tissue density is the aorta if it is enhanced, and
ordinary soft tissue if it is not. Two levels must agree, otherwise the phase is unknown.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from inference.volume import CTVolume

WINDOW_X_MM = (-15.0, 40.0)
"""Left of the body's centre, LPS x."""

WINDOW_Y_MM = (-65.0, -12.0)
"""In front of the body's centre, LPS y; the front wall lies at about -15 mm."""

HALF_HEIGHT_MM = 8.0
BALL_MM = 9.0
"""Side of the averaging cube; the normal infrarenal aorta is 15-20 mm wide."""

HOMOGENEOUS_SD_HU = 30.0
PLAUSIBLE_HU = (-20.0, 500.0)
AGREEMENT_HU = 60.0

PORTAL_VENOUS_FROM_HU = 100.0
ARTERIAL_FROM_HU = 200.0


def contrast_phase(
    volume: CTVolume, bodies: npt.NDArray[np.uint8], lumbar_centres: Sequence[npt.ArrayLike]
) -> str | None:
    """``native``, ``portal_venous``, ``arterial``, ``unspecified``, or None if unknown.

    ``unspecified``: the header names a contrast agent and the aorta could not be read. A missing
    ContrastBolusAgent (0018,0010) proves nothing and is not used.

    Parameters
    ----------
    bodies
        Body labels on the volume's grid; bone is excluded from the search.
    lumbar_centres
        Centres of the bodies of T12-L4 that were found, LPS mm.
    """
    estimates = [aorta_hu(volume, bodies, centre) for centre in lumbar_centres]
    found = [value for value in estimates if value is not None]
    if len(found) >= 2:
        middle = float(np.median(found))
        agreeing = sum(abs(value - middle) <= AGREEMENT_HU / 2 for value in found)
        if agreeing >= 2 and agreeing * 2 > len(found):
            return _phase(middle)
    return "unspecified" if volume.source.acquisition.ContrastBolusAgent else None


def aorta_hu(
    volume: CTVolume, bodies: npt.NDArray[np.uint8], centre_lps_mm: npt.ArrayLike
) -> float | None:
    """Mean HU of the brightest homogeneous ball in front of one body, or None."""
    centre = np.asarray(centre_lps_mm, dtype=np.float64)
    box = _window(volume, centre)
    if box is None:
        return None
    hu = volume.hu[box].astype(np.float32)
    if hu.shape[0] < 1 or min(hu.shape[1:]) < 1:
        return None
    hu = np.where(bodies[box] > 0, np.float32(-1000), hu)
    size = [max(1, round(BALL_MM / s)) for s in volume.spacing_kji_mm]
    mean = ndimage.uniform_filter(hu, size, mode="nearest")
    square = ndimage.uniform_filter(hu * hu, size, mode="nearest")
    sd = np.sqrt(np.maximum(square - mean * mean, 0.0))
    candidate = (sd < HOMOGENEOUS_SD_HU) & (mean > PLAUSIBLE_HU[0]) & (mean < PLAUSIBLE_HU[1])
    if not candidate.any():
        return None
    return float(np.percentile(mean[candidate], 98))


def _window(volume: CTVolume, centre: npt.NDArray[np.float64]) -> tuple[slice, slice, slice] | None:
    corners = [
        centre + np.array((x, y, z))
        for x in WINDOW_X_MM
        for y in WINDOW_Y_MM
        for z in (-HALF_HEIGHT_MM, HALF_HEIGHT_MM)
    ]
    index = volume.to_index_kji(np.array(corners))
    low = np.floor(index.min(axis=0)).astype(int)
    high = np.ceil(index.max(axis=0)).astype(int) + 1
    if (low < 0).any() or (high > volume.shape_kji).any():
        return None
    return slice(low[0], high[0]), slice(low[1], high[1]), slice(low[2], high[2])


def _phase(aorta: float) -> str:
    if aorta >= ARTERIAL_FROM_HU:
        return "arterial"
    return "portal_venous" if aorta >= PORTAL_VENOUS_FROM_HU else "native"
