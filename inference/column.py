"""Which candidate bodies form the vertebral column: the best chain from foot to head.

A largest connected component would lose everything above a missing disc, a rod or a collapsed
body, and would take a hip for a vertebra; a chain may skip a level at a cost, bends with
scoliosis, and leaves lone bodies beside the column out.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from inference.preprocess import VOXEL_MM
from inference.spinal_priors import spacing_mm
from inference.votes import BodyCandidate

_MIN_RISE = 0.34
"""Cosine of the steepest angle a chain may take against the grid's long axis: 70 degrees, as the
first thoracic vertebrae of a stooped patient."""

_MAX_STEPS = 4
_SKIP_COST = 0.7
_STRETCH_COST = 1.5
_LEVEL_COST = 0.2
_MAX_REWARD = 1.2

_PIECE_REACH = 1.3
"""Of the usual distance: further off, another body lies in between."""

_WHOLE_FULLNESS = 0.6
_WHOLE_REACH = 2.2
"""A body with this share of its volume goes on over one that was missed, or taken for the next."""

_SHORTEST_TO_CONTINUE = 3
_STRAIGHT = 0.8
"""Cosine of the largest turn at an end that is continued."""
_LEVELS_OFF = 3.0
"""How far the level number of a body that goes on may be from the next one's. Those of true bodies
are off by about one, of cut ones by more; pelvis, skull and limbs read as anything."""

_FLAT_FULLNESS = 0.35
"""A body left out of the chain is still one if it has this share of its volume, ..."""
_FLAT_SPACING = 0.55
"""... keeps this share of the usual distance from both neighbours, ..."""
_FLAT_ASIDE = 0.3
"""... and lies no further beside the line between them than this share of it."""


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
    return _with_flat_bodies(_continued(chain, candidates), candidates)


def _continued(
    chain: list[BodyCandidate], candidates: Sequence[BodyCandidate]
) -> tuple[BodyCandidate, ...]:
    """The chain with the bodies that go on in its direction at either end.

    The first link over a collapsed body costs more than that body counts; what stands above it
    must not be lost for that.
    """
    if len(chain) < _SHORTEST_TO_CONTINUE:
        return tuple(chain)
    upwards = _grown(chain[::-1], candidates)[::-1]
    return tuple(_grown(upwards, candidates))


def _grown(chain: list[BodyCandidate], candidates: Sequence[BodyCandidate]) -> list[BodyCandidate]:
    """The chain with whatever goes on beyond its last body, one by one."""
    going = list(chain)
    while further := _beyond(going, candidates):
        going.append(min(further, key=lambda body: _apart_mm(going[-1], body)))
    return going


def _beyond(chain: list[BodyCandidate], candidates: Sequence[BodyCandidate]) -> list[BodyCandidate]:
    """Bodies within one step of the chain's last one, straight on; whole ones within two."""
    last, before = (np.asarray(c.centre) * VOXEL_MM for c in (chain[-1], chain[-2]))
    course = (last - before) / np.linalg.norm(last - before)
    found = []
    for body in candidates:
        if body in chain or body.fullness < _FLAT_FULLNESS:
            continue
        distance = _apart_mm(chain[-1], body)
        straight = (np.asarray(body.centre) * VOXEL_MM - last) @ course >= _STRAIGHT * distance
        share = distance / float(spacing_mm((chain[-1].level + body.level) / 2))
        reach = _WHOLE_REACH if body.fullness >= _WHOLE_FULLNESS else _PIECE_REACH
        if straight and _reads_on(chain[-1], body) and _FLAT_SPACING <= share <= reach:
            found.append(body)
    return found


def _reads_on(last: BodyCandidate, body: BodyCandidate) -> bool:
    """Whether the body reads as about the next level; numbers grow towards the feet."""
    next_level = last.level + (1.0 if body.centre[0] < last.centre[0] else -1.0)
    return abs(body.level - next_level) <= _LEVELS_OFF


def _apart_mm(one: BodyCandidate, other: BodyCandidate) -> float:
    return float(np.linalg.norm(np.subtract(one.centre, other.centre))) * VOXEL_MM


def _with_flat_bodies(
    chain: tuple[BodyCandidate, ...], candidates: Sequence[BodyCandidate]
) -> tuple[BodyCandidate, ...]:
    """The chain with collapsed bodies, which stand closer to their neighbours than usual."""
    left_out = [c for c in candidates if c not in chain and c.fullness >= _FLAT_FULLNESS]
    between = {
        n: body
        for body in left_out
        for n, (upper, lower) in enumerate(pairwise(chain))
        if _lies_between(body, upper, lower)
    }
    grown: list[BodyCandidate] = []
    for n, body in enumerate(chain):
        grown.append(body)
        if n in between:
            grown.append(between[n])
    return tuple(grown)


def _lies_between(body: BodyCandidate, upper: BodyCandidate, lower: BodyCandidate) -> bool:
    here, above, below = (np.asarray(c.centre) * VOXEL_MM for c in (body, upper, lower))
    usual = float(spacing_mm((upper.level + lower.level) / 2))
    along = (above - below) / np.linalg.norm(above - below)
    height = float((here - below) @ along)
    apart = min(height, float((above - here) @ along))
    aside = float(np.linalg.norm(here - below - height * along))
    return apart >= _FLAT_SPACING * usual and aside <= _FLAT_ASIDE * usual


def cut_pieces(
    chain: Sequence[BodyCandidate], candidates: Sequence[BodyCandidate]
) -> tuple[BodyCandidate, ...]:
    """Candidates left out just above or below the chain: bodies of which the scan shows a part.

    They are no vertebrae of the answer, but their voxels are not their neighbour's either.
    """
    if not chain:
        return ()
    top, bottom = chain[0], chain[-1]
    return tuple(
        c for c in candidates if c not in chain and (_goes_on(top, c) or _goes_on(c, bottom))
    )


def _goes_on(lower: BodyCandidate, upper: BodyCandidate) -> bool:
    step = (np.asarray(upper.centre) - np.asarray(lower.centre)) * VOXEL_MM
    distance = float(np.linalg.norm(step))
    usual = float(spacing_mm((lower.level + upper.level) / 2))
    return 0 < distance <= _PIECE_REACH * usual and step[0] / distance >= _MIN_RISE


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
