"""Level names by dynamic programming over the column.

Every vertebra gets the level that makes all cues together most likely: levels grow strictly from
head to foot, T13, L6 and a missing T12 are allowed at a cost, missed vertebrae too. Two things
are unknown per scan and summed over: the patient's size and a common offset of the network's
level number (its errors are shared by neighbours, so they must not count as independent votes).
The confidence of a name is its marginal probability over all labellings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.special import logsumexp

from inference.anatomy import VertebraLevel
from inference.cues import ColumnCues
from inference.level_costs import (
    LEVELS,
    Costs,
    dens_in_view,
    first_costs,
    ilium_costs,
    last_costs,
    link_costs,
    missed_between,
    number_costs,
    rib_costs,
)
from inference.volume import Notice

_SCALES = np.linspace(0.76, 1.24, 9)
_SCALE_SIGMA = 0.1
_OFFSETS = np.linspace(-4.0, 4.0, 17)
_OFFSET_SIGMA = 1.1
"""As measured over 29 views of procedural patients."""
_SHORT_VIEW = 6
"""Below this many vertebrae the network sees little context and its offset grows (up to 3)."""

UNANCHORED_CONFIDENCE = 0.8
"""Without sacrum, skull, dens, first or last rib in view no name is surer than this."""

_NEAR_SACRUM_MM = 45.0
_RIB_SURE = 0.6


@dataclass(frozen=True)
class Labelling:
    """Level and confidence of every vertebra, from head to foot."""

    levels: tuple[VertebraLevel, ...]
    confidences: tuple[float, ...]
    warnings: tuple[Notice, ...] = ()


@dataclass(frozen=True)
class _Problem:
    """Costs for every setting of the unknowns.

    Attributes
    ----------
    unary
        (vertebra, offset, level).
    links
        Per step between vertebrae: (scale, upper level, lower level).
    prior
        (scale, offset).
    """

    unary: Costs
    links: Sequence[Costs]
    prior: Costs


def label_column(cues: ColumnCues) -> Labelling:
    """Name the vertebrae of a column; empty for an empty column."""
    if not cues.vertebrae:
        return Labelling((), ())
    problem = _problem(cues)
    ranks = _best_path(problem)
    marginals = _marginals(problem)
    anchored = has_anchor(cues)
    limit = 1.0 if anchored else UNANCHORED_CONFIDENCE
    confidences = tuple(min(limit, float(marginals[at, rank])) for at, rank in enumerate(ranks))
    levels = tuple(LEVELS[rank] for rank in ranks)
    return Labelling(levels, confidences, _warnings(levels, cues, anchored))


def has_anchor(cues: ColumnCues) -> bool:
    """Something fixed is in view: the sacrum, the skull, the dens, or the first or last rib."""
    if cues.sacrum_below_mm is not None and cues.sacrum_below_mm < _NEAR_SACRUM_MM:
        return True
    if dens_in_view(cues) or (cues.skull_above and cues.vertebrae[0].level_number < 4):
        return True
    ribs = [None if row.cut else row.ribs for row in cues.vertebrae]
    return _rib_edge(ribs) or _rib_edge(ribs[::-1])


def _rib_edge(ribs: Sequence[float | None]) -> bool:
    """Two vertebrae with ribs in a row, then one or more without."""
    for first, second, third in zip(ribs, ribs[1:], ribs[2:], strict=False):
        if first is None or second is None or third is None:
            continue
        if min(first, second) > _RIB_SURE and third < 0.25:
            return True
    return False


def _problem(cues: ColumnCues) -> _Problem:
    fixed = np.stack([rib_costs(row) + ilium_costs(row) for row in cues.vertebrae])
    fixed[0] += first_costs(cues)
    fixed[-1] += last_costs(cues)
    numbers = np.stack([number_costs(cues, float(offset)) for offset in _OFFSETS], axis=1)
    links = [
        np.stack([link_costs(upper, lower, float(scale)) for scale in _SCALES])
        for upper, lower in pairwise(cues.vertebrae)
    ]
    sigma = _OFFSET_SIGMA * max(1.0, _SHORT_VIEW / len(cues.vertebrae))
    scale_cost = 0.5 * (np.log(_SCALES) / _SCALE_SIGMA) ** 2
    offset_cost = 0.5 * (_OFFSETS / sigma) ** 2
    return _Problem(fixed[:, None, :] + numbers, links, scale_cost[:, None] + offset_cost)


def _best_path(problem: _Problem) -> list[int]:
    """Ranks of the labelling with the lowest cost over all unknowns (Viterbi)."""
    cost = problem.prior[:, :, None] + problem.unary[0]
    came_from = []
    for unary, link in zip(problem.unary[1:], problem.links, strict=True):
        total = cost[..., :, None] + link[:, None]
        came_from.append(total.argmin(axis=-2))
        cost = total.min(axis=-2) + unary
    scale, offset, last = np.unravel_index(int(cost.argmin()), cost.shape)
    ranks = [int(last)]
    for back in reversed(came_from):
        ranks.append(int(back[scale, offset, ranks[-1]]))
    return ranks[::-1]


def _marginals(problem: _Problem) -> Costs:
    """Probability (vertebra, level) over all labellings and unknowns (forward-backward)."""
    count = len(problem.unary)
    forward = [-problem.prior[:, :, None] - problem.unary[0]]
    for unary, link in zip(problem.unary[1:], problem.links, strict=True):
        reached = logsumexp(forward[-1][..., :, None] - link[:, None], axis=-2)
        forward.append(reached - unary)
    backward = [np.zeros_like(forward[0])]
    for unary, link in zip(problem.unary[:0:-1], reversed(problem.links), strict=True):
        onward = backward[-1] - unary
        backward.append(logsumexp(onward[..., None, :] - link[:, None], axis=-1))
    joint = np.stack(
        [logsumexp(forward[n] + backward[count - 1 - n], axis=(0, 1)) for n in range(count)]
    )
    marginals: Costs = np.exp(joint - logsumexp(joint, axis=1, keepdims=True))
    return marginals


def _warnings(
    levels: Sequence[VertebraLevel], cues: ColumnCues, anchored: bool
) -> tuple[Notice, ...]:
    notices = []
    if not anchored:
        notices.append(
            Notice(
                "no_anchor",
                "Neither sacrum, skull, dens, first nor last rib is in view: "
                "the level could be off by one.",
            )
        )
    steps = list(pairwise(levels))
    unusual = _variants(levels, cues)
    if unusual:
        notices.append(
            Notice("unusual_count", f"Unusual number of vertebrae ({', '.join(unusual)}).")
        )
    gaps = [f"{a.name}-{b.name}" for a, b in steps if missed_between(a.rank, b.rank) > 0]
    gaps = [gap for gap in gaps if gap != "T11-L1"]
    if gaps:
        notices.append(
            Notice("gap_in_column", f"A vertebra was not found between {', '.join(gaps)}.")
        )
    return tuple(notices)


def _variants(levels: Sequence[VertebraLevel], cues: ColumnCues) -> list[str]:
    """What differs from seven cervical, twelve rib-bearing and five lumbar vertebrae."""
    present = set(levels)
    unusual = [v.name for v in (VertebraLevel.T13, VertebraLevel.L6) if v in present]
    if (VertebraLevel.T11, VertebraLevel.L1) in pairwise(levels):
        unusual.append("no T12")
    for level, row in zip(levels, cues.vertebrae, strict=True):
        if level.region != "T" and row.ribs is not None and row.ribs > _RIB_SURE:
            unusual.append(f"rib at {level.name}")
    return unusual
