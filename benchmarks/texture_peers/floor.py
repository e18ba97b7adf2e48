"""The counted floor: the memory traffic and logarithms no dense method can avoid, timed here.

One increment of a 64-bit cell per neighbouring pair (addresses known beforehand), one logarithm
per filled cell, one sweep over the triangle of cells. Nothing is decided, compared or divided.
"""

from __future__ import annotations

import time

import numba
import numpy as np

from texture.directions import DIRECTIONS_KJI
from texture.discretise import discretise
from texture.settings import Settings
from texture.sweep import sweep


def seconds(hu: np.ndarray, mask: np.ndarray, settings: Settings, repeats: int = 40) -> float:
    """Sum of the three parts for one region, each the best of `repeats`."""
    levels, n_levels = discretise(hu[mask].astype(np.float64), mask, settings)
    addresses = _addresses(levels)
    cells = np.zeros(n_levels * (n_levels + 1) // 2, dtype=np.uint64)
    n_filled = int(np.count_nonzero(sweep(levels, n_levels).cells))
    values = np.random.default_rng(0).uniform(1.0, 50.0, n_filled)
    parts = ((_increment, (addresses, cells)), (_logarithms, (values,)), (_sweep, (cells,)))
    return sum(_best(function, arguments, repeats) for function, arguments in parts)


def _addresses(levels: np.ndarray) -> np.ndarray:
    flat = levels.reshape(-1).astype(np.int64)
    strides = np.array([levels.shape[1] * levels.shape[2], levels.shape[2], 1])
    inside = np.flatnonzero(flat)
    found = []
    for offset in DIRECTIONS_KJI @ strides:
        here, there = flat[inside], flat[inside + offset]
        upper, lower = np.maximum(here, there), np.minimum(here, there)
        address = upper * (upper - 1) // 2 + lower - 1
        found.append(np.where(there > 0, address, -1))
    in_scan_order = np.stack(found, axis=1).reshape(-1)
    return in_scan_order[in_scan_order >= 0].astype(np.uintp)


def _best(function, arguments: tuple, repeats: int) -> float:
    function(*arguments)
    best = np.inf
    for _ in range(repeats):
        start = time.process_time()
        function(*arguments)
        best = min(best, time.process_time() - start)
    return float(best)


@numba.njit
def _increment(addresses, cells):
    for n in range(np.uintp(addresses.size)):
        cells[addresses[n]] += np.uint64(1)


@numba.njit
def _logarithms(values):
    total = 0.0
    for n in range(values.size):
        total += values[n] * np.log2(values[n])
    return total


@numba.njit
def _sweep(cells):
    total = np.uint64(0)
    for n in range(cells.size):
        total += cells[n]
    return total
