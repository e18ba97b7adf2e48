"""What a vertebra's posterior height should be, judged by its neighbours.

Each posterior height is divided by its level's normal height; the quotients of near neighbours
say how large this patient's vertebrae are there. A vertebra far below them is taken for crushed
and no longer counts as a neighbour; the search repeats until nothing changes.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from inference.anatomy import VertebraLevel
from inference.normal_heights import POSTERIOR_HEIGHT_MM
from inference.report import Heights

CRUSH_DEFICIT = 0.15
"""A posterior height this share below the expected one is lost height, not variation."""
DEFORMED_DEFICIT = 0.08
"""The same for a body that is deformed already: its posterior wall has likely sunk with it."""
DEFORMED_FROM = 0.15
"""Loss against the own posterior height from which a body counts as deformed."""
LOW_POSTERIOR_DEFICIT = 0.28
"""The same for L5 and L6 with a high anterior wall: their posterior wall is low by nature."""
LOW_POSTERIOR_FROM = 1.08
"""Anterior over posterior height from which L5 and L6 count as normally shaped."""
LOW_LEVELS = frozenset({VertebraLevel.L5, VertebraLevel.L6})
NEIGHBOUR_RANKS = 4
FEWEST_NEIGHBOURS = 2


def expected_posterior_mm(
    heights_mm: Mapping[VertebraLevel, Heights],
) -> dict[VertebraLevel, float]:
    """Expected posterior heights of the levels whose own is lost; empty if none is."""
    known = {level: h for level, h in heights_mm.items() if level in POSTERIOR_HEIGHT_MM}
    size = {level: h.posterior / POSTERIOR_HEIGHT_MM[level] for level, h in known.items()}
    limit = {level: deficit_limit(level, h) for level, h in known.items()}
    crushed: set[VertebraLevel] = set()
    while True:
        worst = _worst(size, limit, crushed)
        if worst is None:
            break
        crushed.add(worst)
    expected = {}
    for level in crushed:
        scale = neighbours_size(level, size, crushed)
        if scale is not None and size[level] < (1.0 - limit[level]) * scale:
            expected[level] = scale * POSTERIOR_HEIGHT_MM[level]
    return expected


def deficit_limit(level: VertebraLevel, heights: Heights) -> float:
    """Share below expectation from which a posterior height counts as lost."""
    if level in LOW_LEVELS and heights.anterior >= LOW_POSTERIOR_FROM * heights.posterior:
        return LOW_POSTERIOR_DEFICIT
    own_loss = 1.0 - min(heights.anterior, heights.middle) / heights.posterior
    return DEFORMED_DEFICIT if own_loss >= DEFORMED_FROM else CRUSH_DEFICIT


def neighbours_size(
    level: VertebraLevel, size: Mapping[VertebraLevel, float], left_out: set[VertebraLevel]
) -> float | None:
    """Weighted median size of the near, uncrushed neighbours; None if they are too few."""
    near = [
        (value, 1.0 / abs(other.rank - level.rank))
        for other, value in size.items()
        if other != level
        and other not in left_out
        and abs(other.rank - level.rank) <= NEIGHBOUR_RANKS
    ]
    if len(near) < FEWEST_NEIGHBOURS:
        return None
    near.sort()
    values = np.array([value for value, _ in near])
    weights = np.array([weight for _, weight in near])
    middle = (np.cumsum(weights) - 0.5 * weights) / weights.sum()
    return float(np.interp(0.5, middle, values))


def _worst(
    size: Mapping[VertebraLevel, float],
    limit: Mapping[VertebraLevel, float],
    crushed: set[VertebraLevel],
) -> VertebraLevel | None:
    """The level furthest below its limit, if any."""
    found: VertebraLevel | None = None
    lowest = 0.0
    for level, value in size.items():
        scale = None if level in crushed else neighbours_size(level, size, crushed)
        if scale is None:
            continue
        margin = value / scale - (1.0 - limit[level])
        if margin < lowest:
            found, lowest = level, margin
    return found
