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
    COUNT,
    LEVELS,
    Costs,
    first_costs,
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
_OFFSET_SIGMA = 0.9

UNANCHORED_CONFIDENCE = 0.8
"""Without sacrum, skull, first or last rib in view no name is surer than this."""

_NEAR_SACRUM_MM = 45.0


@dataclass(frozen=True)
class Labelling:
    """Level and confidence of every vertebra, from head to foot."""

    levels: tuple[VertebraLevel, ...]
    confidences: tuple[float, ...]
    warnings: tuple[Notice, ...] = ()


@dataclass(frozen=True)
class _Problem:
    """One setting of the unknowns: costs per vertebra and level, and per step."""

    unary: Costs
    links: Sequence[Costs]
    prior: float


def label_column(cues: ColumnCues) -> Labelling:
    """Name the vertebrae of a column; empty for an empty column."""
    if not cues.vertebrae:
        return Labelling((), ())
    problems = _problems(cues)
    solved = [_best_path(problem) for problem in problems]
    _, ranks = min(solved, key=lambda result: result[0])
    marginals = _marginals(problems)
    anchored = has_anchor(cues)
    limit = 1.0 if anchored else UNANCHORED_CONFIDENCE
    confidences = tuple(min(limit, float(marginals[at, rank])) for at, rank in enumerate(ranks))
    levels = tuple(LEVELS[rank] for rank in ranks)
    return Labelling(levels, confidences, _warnings(levels, anchored))


def has_anchor(cues: ColumnCues) -> bool:
    """Something fixed is in view: the sacrum, the skull, or the first or last rib."""
    if cues.sacrum_below_mm is not None and cues.sacrum_below_mm < _NEAR_SACRUM_MM:
        return True
    if cues.skull_above and cues.vertebrae[0].level_number < 4:
        return True
    ribs = [None if row.cut else row.ribs for row in cues.vertebrae]
    return _rib_edge(ribs) or _rib_edge(ribs[::-1])


def _rib_edge(ribs: Sequence[float | None]) -> bool:
    """Two vertebrae with ribs in a row, then one or more without."""
    for first, second, third in zip(ribs, ribs[1:], ribs[2:], strict=False):
        if first is None or second is None or third is None:
            continue
        if min(first, second) > 0.6 and third < 0.25:
            return True
    return False


def _problems(cues: ColumnCues) -> list[_Problem]:
    fixed = np.stack([rib_costs(row) for row in cues.vertebrae])
    fixed[0] += first_costs(cues)
    fixed[-1] += last_costs(cues)
    numbered = [
        np.stack([number_costs(row, float(offset)) for row in cues.vertebrae])
        for offset in _OFFSETS
    ]
    problems = []
    for scale in _SCALES:
        links = [link_costs(a, b, float(scale)) for a, b in pairwise(cues.vertebrae)]
        scale_cost = 0.5 * (np.log(scale) / _SCALE_SIGMA) ** 2
        for offset, numbers in zip(_OFFSETS, numbered, strict=True):
            # heavy tail: in a small crop the level number may be off by three
            offset_cost = 1.5 * np.log1p((offset / _OFFSET_SIGMA) ** 2 / 2)
            problems.append(_Problem(fixed + numbers, links, float(scale_cost + offset_cost)))
    return problems


def _best_path(problem: _Problem) -> tuple[float, list[int]]:
    """Lowest total cost and its ranks (Viterbi)."""
    cost = problem.unary[0]
    came_from = []
    for unary, link in zip(problem.unary[1:], problem.links, strict=True):
        total = cost[:, None] + link
        came_from.append(total.argmin(axis=0))
        cost = total.min(axis=0) + unary
    ranks = [int(cost.argmin())]
    for back in reversed(came_from):
        ranks.append(int(back[ranks[-1]]))
    return float(cost.min()) + problem.prior, ranks[::-1]


def _marginals(problems: Sequence[_Problem]) -> Costs:
    """Probability (vertebra, level) over all labellings and unknowns (forward-backward)."""
    logs = np.stack([_log_beliefs(problem) for problem in problems])
    joint = logsumexp(logs, axis=0)
    normalised: Costs = np.exp(joint - logsumexp(joint, axis=1, keepdims=True))
    return normalised


def _log_beliefs(problem: _Problem) -> Costs:
    count = len(problem.unary)
    forward = np.zeros((count, COUNT))
    backward = np.zeros((count, COUNT))
    forward[0] = -problem.unary[0]
    for at in range(1, count):
        reached = logsumexp(forward[at - 1][:, None] - problem.links[at - 1], axis=0)
        forward[at] = reached - problem.unary[at]
    for at in range(count - 2, -1, -1):
        onward = backward[at + 1] - problem.unary[at + 1]
        backward[at] = logsumexp(onward[None, :] - problem.links[at], axis=1)
    return forward + backward - problem.prior


def _warnings(levels: Sequence[VertebraLevel], anchored: bool) -> tuple[Notice, ...]:
    notices = []
    if not anchored:
        notices.append(
            Notice(
                "no_anchor",
                "Neither sacrum, skull, first nor last rib is in view: "
                "the level could be off by one.",
            )
        )
    present = set(levels)
    unusual = [v.name for v in (VertebraLevel.T13, VertebraLevel.L6) if v in present]
    steps = list(pairwise(levels))
    if (VertebraLevel.T11, VertebraLevel.L1) in steps:
        unusual.append("no T12")
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
