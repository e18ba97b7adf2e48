"""95 % confidence intervals of shares and of counts per patient."""

from __future__ import annotations

import math
from typing import TypedDict

from scipy import stats

CONFIDENCE_LEVEL = 0.95


class Estimate(TypedDict):
    """A figure with its interval; all None where there is nothing to count."""

    value: float | None
    low: float | None
    high: float | None
    hits: int
    of: int


def share(hits: int, of: int) -> Estimate:
    """``hits / of`` with Wilson's interval (JASA 1927)."""
    if of == 0:
        return Estimate(value=None, low=None, high=None, hits=0, of=0)
    z = float(stats.norm.ppf((1 + CONFIDENCE_LEVEL) / 2))
    value = hits / of
    scale = 1 + z * z / of
    middle = (value + z * z / (2 * of)) / scale
    half = z * math.sqrt(value * (1 - value) / of + z * z / (4 * of * of)) / scale
    # at 0 and 1 the bound is the value itself, but for rounding
    low, high = min(value, max(0.0, middle - half)), max(value, min(1.0, middle + half))
    return Estimate(value=value, low=low, high=high, hits=hits, of=of)


def rate(events: int, patients: int) -> Estimate:
    """``events / patients`` with the exact Poisson interval (Garwood, Biometrika 1936)."""
    if patients == 0:
        return Estimate(value=None, low=None, high=None, hits=events, of=0)
    tail = (1 - CONFIDENCE_LEVEL) / 2
    low = float(stats.chi2.ppf(tail, 2 * events)) / 2 if events else 0.0
    high = float(stats.chi2.ppf(1 - tail, 2 * events + 2)) / 2
    return Estimate(
        value=events / patients,
        low=low / patients,
        high=high / patients,
        hits=events,
        of=patients,
    )
