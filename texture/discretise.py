"""From HU to grey levels 1..Ng."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from texture.compiled import compiled
from texture.settings import MAXIMUM_LEVELS, Settings


def discretise(
    values: npt.NDArray[np.float64], mask: npt.NDArray[np.bool_], settings: Settings
) -> tuple[npt.NDArray[np.uint16], int]:
    """Grey levels of a region with a one-voxel border, and how many levels there are.

    Parameters
    ----------
    values
        HU inside the mask, in its order: finite, not all equal, and with ``fixed_bin_size``
        spanning at most `MAXIMUM_LEVELS` bins (`too_many_bins`).
    mask
        bool (k, j, i).

    Returns
    -------
    levels
        uint16 (k+2, j+2, i+2): 1..n_levels inside the mask, 0 elsewhere.
    n_levels
        Largest possible level.
    """
    low, high = float(values.min()), float(values.max())
    if settings.quantiser == "fixed_bin_size":
        found, n_levels = _fixed_bin_size(values, low, settings)
    else:
        found = np.empty(values.size, dtype=np.uint16)
        rounding = settings.quantiser == "toolbox"
        _scale_to_levels(values, (low, high), settings.levels, rounding, found)
        n_levels = settings.levels
    levels = np.zeros(tuple(n + 2 for n in mask.shape), dtype=np.uint16)
    levels[1:-1, 1:-1, 1:-1][mask] = found
    return levels, n_levels


def too_many_bins(low: float, high: float, settings: Settings) -> bool:
    """Whether a region between these HU needs more levels than a dense matrix can hold."""
    if settings.quantiser != "fixed_bin_size":
        return False
    origin = low if settings.bin_origin_hu is None else settings.bin_origin_hu
    return (high - origin) / settings.bin_width_hu >= MAXIMUM_LEVELS


def _fixed_bin_size(
    values: npt.NDArray[np.float64], low: float, settings: Settings
) -> tuple[npt.NDArray[np.uint16], int]:
    origin = low if settings.bin_origin_hu is None else settings.bin_origin_hu
    width = settings.bin_width_hu
    found = np.maximum(np.floor((values - origin) / width) + 1, 1)
    return found.astype(np.uint16), int(found.max())


@compiled
def _scale_to_levels(
    values: npt.NDArray[np.float64],
    extremes: tuple[float, float],
    n_levels: int,
    rounding: bool,
    found: npt.NDArray[np.uint16],
) -> None:
    low, high = extremes
    extent = high - low
    for n in range(values.size):
        if rounding:
            scaled = (n_levels - 1) * (values[n] - low) / extent
            level = np.floor(scaled)
            if scaled - level >= 0.5:
                level += 1.0
            found[n] = int(level) + 1
        else:
            level = np.floor(n_levels * (values[n] - low) / extent) + 1.0
            found[n] = int(min(level, n_levels))
