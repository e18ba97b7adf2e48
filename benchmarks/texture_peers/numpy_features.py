"""The eight features in plain numpy: an independent check, and a yardstick for the engine.

No code is shared with `texture`: levels, pairs and runs are counted by shifting whole arrays.
"""

from __future__ import annotations

import itertools

import numpy as np


def features(hu: np.ndarray, mask: np.ndarray, levels: int, bins: int) -> dict[str, float]:
    """Toolbox definitions (weighted, merged) on the grid as it is."""
    values = hu[mask].astype(np.float64)
    low, high = values.min(), values.max()
    scaled = (levels - 1) * (values - low) / (high - low)
    quantised = np.zeros(np.array(hu.shape) + 2, dtype=np.int64)
    quantised[1:-1, 1:-1, 1:-1][mask] = np.floor(scaled + 0.5) + 1
    k = np.clip(np.ceil((values - low) * bins / (high - low)), 1, bins)
    deviation = k - k.mean()
    variance = (deviation**2).mean()
    pairs = np.zeros(levels * levels)
    windows = np.zeros(max(quantised.shape) + 2)
    for direction in itertools.product((-1, 0, 1), repeat=3):
        if direction > (0, 0, 0):
            weight = np.sqrt(np.abs(direction).sum())
            pairs += weight * _pairs(quantised, direction, levels)
            windows += weight * _equal_windows(quantised, direction, windows.size)
    matrix = pairs.reshape(levels, levels)
    matrix = matrix + matrix.T
    p = matrix[matrix > 0] / matrix.sum()
    runs = windows[1:-1] - 2 * windows[2:] + np.append(windows[3:], 0.0)
    share, length = runs / runs.sum(), np.arange(1, runs.size + 1)
    return {
        "variance": float(variance),
        "skewness": float((deviation**3).mean() / variance**1.5),
        "energy": float((p * p).sum()),
        "entropy": float(-(p * np.log2(p)).sum()),
        "sre": float((share / length**2).sum()),
        "lre": float((share * length**2).sum()),
        "rln": float((share**2).sum()),
        "rp": float(1 / (share * length).sum()),
    }


def _shifted(array: np.ndarray, direction: tuple[int, ...], steps: int) -> tuple[tuple, tuple]:
    """Slices of where a voxel and its neighbour `steps` away both lie inside."""
    here, there = [], []
    for length, step in zip(array.shape, direction, strict=True):
        by = step * steps
        here.append(slice(max(-by, 0), length - max(by, 0)))
        there.append(slice(max(by, 0), length - max(-by, 0)))
    return tuple(here), tuple(there)


def _pairs(quantised: np.ndarray, direction: tuple[int, ...], levels: int) -> np.ndarray:
    here, there = _shifted(quantised, direction, 1)
    a, b = quantised[here].ravel(), quantised[there].ravel()
    both = (a > 0) & (b > 0)
    return np.bincount((a[both] - 1) * levels + b[both] - 1, minlength=levels * levels)


def _equal_windows(quantised: np.ndarray, direction: tuple[int, ...], size: int) -> np.ndarray:
    """Entry L: straight windows of L voxels of one level; second differences count the runs."""
    counts = np.zeros(size)
    same = quantised > 0
    counts[1] = same.sum()
    here, there = _shifted(quantised, direction, 1)
    next_equal = np.zeros_like(same)
    next_equal[here] = (quantised[here] == quantised[there]) & same[here]
    window = next_equal
    length = 2
    while (found := np.count_nonzero(window)) > 0:
        counts[length] = found
        length += 1
        here, there = _shifted(quantised, direction, 1)
        longer = np.zeros_like(window)
        longer[here] = window[there] & next_equal[here]
        window = longer
    return counts
