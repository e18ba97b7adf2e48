"""Variance and skewness of a region, from a histogram of bins or from the HU themselves."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import numpy.typing as npt

from texture.compiled import compiled
from texture.settings import Settings

_NEAR_EDGE = 1e-6
"""Distance to a bin edge, in bins, below which the bin is decided in exact arithmetic."""


def variance_and_skewness(
    values: npt.NDArray[np.float64], settings: Settings
) -> tuple[float, float]:
    """Population variance and skewness; the values must be finite and not all equal.

    Variance is in bins squared, or in HU squared for ``histogram="raw"``.
    """
    if settings.histogram == "raw":
        return _moments(values, np.full(values.size, 1.0))
    counts = bin_counts(values, settings)
    return _moments(np.arange(1, counts.size + 1, dtype=np.float64), counts.astype(np.float64))


def bin_counts(values: npt.NDArray[np.float64], settings: Settings) -> npt.NDArray[np.int64]:
    """Voxels per bin, int64 of shape (histogram_bins,).

    ``toolbox``: bin k holds ``(min + (k-1)w, min + kw]`` and bin 1 the minimum.
    ``fixed_bin_number`` (IBSI): ``[min + (k-1)w, min + kw)`` and the last bin the maximum.
    A value on an edge is placed by exact rational arithmetic, never by rounding.
    """
    n_bins = settings.histogram_bins
    closed_above = settings.histogram == "toolbox"
    extremes = float(values.min()), float(values.max())
    counts = np.zeros(n_bins, dtype=np.int64)
    unsure = np.empty(values.size)
    n_unsure = _count_clear_cases(values, extremes, counts, unsure)
    on_edge, times = np.unique(unsure[:n_unsure], return_counts=True)
    if on_edge.size:
        exact = _integer_bins if _is_small_integer(on_edge, *extremes) else _rational_bins
        k = np.clip(exact(on_edge, extremes, n_bins, closed_above), 1, n_bins)
        np.add.at(counts, k.astype(np.int64) - 1, times)
    return counts


@compiled
def _count_clear_cases(
    values: npt.NDArray[np.float64],
    extremes: tuple[float, float],
    counts: npt.NDArray[np.int64],
    unsure: npt.NDArray[np.float64],
) -> int:
    """Count what is clear of a bin edge; collect the rest in `unsure` and return how many."""
    low, high = extremes
    n_bins = counts.size
    extent = high - low
    n_unsure = 0
    for n in range(values.size):
        value = values[n]
        if value == low:
            counts[0] += 1
        elif value == high:
            counts[n_bins - 1] += 1
        else:
            at = (value - low) * n_bins / extent
            whole = int(at)
            part = at - whole
            if part < _NEAR_EDGE or part > 1.0 - _NEAR_EDGE:
                unsure[n_unsure] = value
                n_unsure += 1
            else:
                counts[whole] += 1
    return n_unsure


def _integer_bins(
    values: npt.NDArray[np.float64], extremes: tuple[float, float], n_bins: int, closed: bool
) -> npt.NDArray[np.float64]:
    low, extent = int(extremes[0]), int(extremes[1]) - int(extremes[0])
    scaled = (values.astype(np.int64) - low) * n_bins
    whole = -(-scaled // extent) if closed else scaled // extent + 1
    return whole.astype(np.float64)


def _rational_bins(
    values: npt.NDArray[np.float64], extremes: tuple[float, float], n_bins: int, closed: bool
) -> npt.NDArray[np.float64]:
    low = Fraction(extremes[0])
    extent = Fraction(extremes[1]) - low
    scaled = [(Fraction(float(v)) - low) * n_bins / extent for v in values]
    whole = [-(-s // 1) if closed else s // 1 + 1 for s in scaled]
    return np.array(whole, dtype=np.float64)


def _is_small_integer(values: npt.NDArray[np.float64], low: float, high: float) -> bool:
    whole = np.append(values, (low, high))
    return bool(np.all(whole == np.rint(whole)) and np.abs(whole).max() < 2**40)


def _moments(
    values: npt.NDArray[np.float64], counts: npt.NDArray[np.float64]
) -> tuple[float, float]:
    total = counts.sum()
    deviation = values - (values * counts).sum() / total
    square = deviation * deviation
    variance = float((square * counts).sum() / total)
    third = float((square * deviation * counts).sum() / total)
    return variance, third / variance**1.5
