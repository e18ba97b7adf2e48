"""Which candidate bodies form the vertebral column: the best chain from foot to head.

A largest connected component would lose everything above a missing disc, a rod or a collapsed
body, and would take a hip for a vertebra; a chain may skip a level at a cost, bends with
scoliosis, and leaves lone bodies beside the column out.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from inference.preprocess import VOXEL_MM
from inference.spinal_priors import spacing_mm
from inference.votes import BodyCandidate

_MIN_RISE = 0.5
"""Cosine of the steepest angle a chain may take against the grid's long axis (60 degrees)."""

_MAX_STEPS = 4
_SKIP_COST = 0.7
_STRETCH_COST = 1.5
_LEVEL_COST = 0.2
_MAX_REWARD = 1.2


def column_chain(candidates: Sequence[BodyCandidate]) -> tuple[BodyCandidate, ...]:
    """Best chain of candidates, from head to foot; empty if there are no candidates."""
    rising = sorted(candidates, key=lambda c: c.centre[0])
    if not rising:
        return ()
    score = [min(c.fullness, _MAX_REWARD) for c in rising]
    below: list[int | None] = [None] * len(rising)
    for upper, candidate in enumerate(rising):
        own = score[upper]
        for lower in range(upper):
            cost = link_cost(rising[lower], candidate)
            if cost is not None and own + score[lower] - cost > score[upper]:
                score[upper] = own + score[lower] - cost
                below[upper] = lower
    chain: list[BodyCandidate] = []
    at: int | None = int(np.argmax(score))
    while at is not None:
        chain.append(rising[at])
        at = below[at]
    return tuple(chain)


def link_cost(lower: BodyCandidate, upper: BodyCandidate) -> float | None:
    """Cost of `upper` being the next body found above `lower`; None if it cannot be."""
    step = (np.asarray(upper.centre) - np.asarray(lower.centre)) * VOXEL_MM
    distance = float(np.linalg.norm(step))
    if distance == 0 or step[0] / distance < _MIN_RISE:
        return None
    usual = float(spacing_mm((lower.level + upper.level) / 2))
    ratio = distance / usual
    steps = max(1, round(ratio))
    if steps > _MAX_STEPS:
        return None
    stretch = abs(float(np.log(ratio / steps)))
    jump = min(abs((lower.level - upper.level) - steps), 3.0)
    return _SKIP_COST * (steps - 1) + _STRETCH_COST * stretch + _LEVEL_COST * jump
