"""What a vertebra's posterior height should be, judged by its neighbours.

Each posterior height is divided by its level's normal height; the quotients of near neighbours
say how large this patient's vertebrae are there. A vertebra far below them is taken for crushed
and no longer counts as a neighbour; the search repeats until nothing changes. Deformed bodies
testify only where too few others are near: two fractures side by side must not excuse each other.
A posterior height far above what the neighbours let expect is an error of its edges; taken as the
reference it would turn a sound front into a loss, so that it counts up to a limit only.
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
SOUND_TO, DEFORMED_FROM = 0.10, 0.15
"""Loss against the own posterior height to which a body is sound and from which it is deformed;
the allowed deficit falls linearly in between, so that no verdict hangs on a tenth of a mm."""
POOR_WITNESS_FROM = 0.12
"""Own loss from which a body says little about the size of its neighbours."""
LARGEST_EXCESS = 0.12
"""A posterior height further above the expected one is no reference: bodies that are sound lie
within 8 % of their spine's size."""
LOW_POSTERIOR_DEFICIT = 0.28
"""The same for L5 and L6 with a high anterior wall: their posterior wall is low by nature."""
LOW_POSTERIOR_FROM = 1.08
"""Anterior over posterior height from which L5 and L6 count as normally shaped."""
LOW_LEVELS = frozenset({VertebraLevel.L5, VertebraLevel.L6})
NEIGHBOUR_RANKS, FAR_RANKS = 4, 8
"""How far neighbours testify; further off only where several near ones have sunk."""
FEWEST_NEIGHBOURS = 2


def reference_heights_mm(
    heights_mm: Mapping[VertebraLevel, Heights],
) -> dict[VertebraLevel, float]:
    """What the neighbours let expect, of the levels whose own posterior height is no reference.

    The expected height where the own one is lost, and at most `LARGEST_EXCESS` more than expected
    where the own one is higher than that.
    """
    known = {level: h for level, h in heights_mm.items() if level in POSTERIOR_HEIGHT_MM}
    size = {level: h.posterior / POSTERIOR_HEIGHT_MM[level] for level, h in known.items()}
    poor = {level for level, h in known.items() if own_loss(h) >= POOR_WITNESS_FROM}
    limit = {level: deficit_limit(level, h) for level, h in known.items()}
    crushed: set[VertebraLevel] = set()
    while True:
        worst = _worst(size, limit, crushed, poor)
        if worst is None:
            break
        crushed.add(worst)
    reference = {}
    for level in known:
        scale = _witnessed_size(level, size, crushed, poor)
        if scale is None:
            continue
        if level in crushed and size[level] < (1.0 - limit[level]) * scale:
            reference[level] = scale * POSTERIOR_HEIGHT_MM[level]
        elif size[level] > (1.0 + LARGEST_EXCESS) * scale:
            reference[level] = (1.0 + LARGEST_EXCESS) * scale * POSTERIOR_HEIGHT_MM[level]
    return reference


def deficit_limit(level: VertebraLevel, heights: Heights) -> float:
    """Share below expectation from which a posterior height counts as lost."""
    if level in LOW_LEVELS and heights.anterior >= LOW_POSTERIOR_FROM * heights.posterior:
        return LOW_POSTERIOR_DEFICIT
    across = (SOUND_TO, DEFORMED_FROM), (CRUSH_DEFICIT, DEFORMED_DEFICIT)
    return float(np.interp(own_loss(heights), *across))


def own_loss(heights: Heights) -> float:
    """Loss of front and middle against the own posterior height; negative if they are higher."""
    return 1.0 - min(heights.anterior, heights.middle) / heights.posterior


def _witnessed_size(
    level: VertebraLevel,
    size: Mapping[VertebraLevel, float],
    crushed: set[VertebraLevel],
    poor: set[VertebraLevel],
) -> float | None:
    """Size by the sound neighbours, by sound ones further off, or by all that are not crushed."""
    for left_out, ranks in (
        (crushed | poor, NEIGHBOUR_RANKS),
        (crushed | poor, FAR_RANKS),
        (crushed, NEIGHBOUR_RANKS),
    ):
        witnessed = neighbours_size(level, size, left_out, ranks)
        if witnessed is not None:
            return witnessed
    return None


def neighbours_size(
    level: VertebraLevel,
    size: Mapping[VertebraLevel, float],
    left_out: set[VertebraLevel],
    ranks: int = NEIGHBOUR_RANKS,
) -> float | None:
    """Weighted median size of the near, uncrushed neighbours; None if they are too few."""
    near = [
        (value, 1.0 / abs(other.rank - level.rank))
        for other, value in size.items()
        if other != level and other not in left_out and abs(other.rank - level.rank) <= ranks
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
    poor: set[VertebraLevel],
) -> VertebraLevel | None:
    """The level furthest below its limit, if any."""
    found: VertebraLevel | None = None
    lowest = 0.0
    for level, value in size.items():
        scale = None if level in crushed else _witnessed_size(level, size, crushed, poor)
        if scale is None:
            continue
        margin = value / scale - (1.0 - limit[level])
        if margin < lowest:
            found, lowest = level, margin
    return found
