"""What each cue costs at each level: negative log-likelihoods for `inference.labelling`.

Rates of numeric variants follow what large series report: T13 and six lumbar vertebrae a few per
cent each, eleven ribs about five per cent (Tins 2016; VerSe'20 counts).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from inference.anatomy import VertebraLevel
from inference.cues import ColumnCues, VertebraCues
from inference.spinal_priors import SPACING_SIGMA, spacing_mm

Costs = npt.NDArray[np.float64]

LEVELS = VertebraLevel.ordered()
COUNT = len(LEVELS)
IMPOSSIBLE = 1e6

_T11, _T12, _T13 = VertebraLevel.T11.rank, VertebraLevel.T12.rank, VertebraLevel.T13.rank
_L1, _L5, _L6 = VertebraLevel.L1.rank, VertebraLevel.L5.rank, VertebraLevel.L6.rank

VARIANT_COST = 3.5
"""Of T13, or T11 followed by L1: about three in a hundred."""

L6_COST = 3.0
"""Six ribless vertebrae above the sacrum: about five in a hundred."""

MISSED_COST = 2.5
"""Of one vertebra present in the patient but not found."""

LEVEL_SIGMA = 1.2
"""Spread of the network's level number, after its offset common to the whole scan."""

_INDEPENDENT_NUMBERS = 3
"""Errors of the level number drift slowly along the spine: a column is worth this many votes."""

_ROBUST_LIMIT = 3.0
"""A single observation is never more surprising than this many standard deviations."""

_DENS_COST = 3.5
_DENS_LOWEST = 9.0
"""The network's number of C2 is too high by 2 to 5. From here on it is another vertebra's, and what
was taken for a dens the remains of one that was missed."""

_SACRUM_TO_L5_MM = 23.0
_SACRUM_COST = 3.2

_RIB_ABSENT = {VertebraLevel.T1: 2.5, VertebraLevel.T11: 2.5, VertebraLevel.T12: 2.0}
_RIB_PRESENT = {VertebraLevel.C7: 2.5, VertebraLevel.L1: 2.5}

_ILIUM_ABSENT = {VertebraLevel.L5: 3.0, VertebraLevel.L6: 3.0, VertebraLevel.L4: 0.3}
_ILIUM_PRESENT = {VertebraLevel.L3: 2.0, VertebraLevel.L2: 4.0, VertebraLevel.L1: 4.0}


def _numbers() -> Costs:
    values = [float(level) for level in LEVELS]
    values[_T13] = 19.5
    return np.asarray(values)


NUMBERS = _numbers()
"""The network's level number of every level; T13 lies between T12 (19) and L1 (20)."""


def _positions_mm() -> Costs:
    """Position of every level below C1; the optional T13 and L6 lie beside the usual count."""
    usual = [rank for rank in range(COUNT) if rank not in (_T13, _L6)]
    steps = spacing_mm((NUMBERS[usual][:-1] + NUMBERS[usual][1:]) / 2)
    positions = np.zeros(COUNT)
    positions[usual] = np.concatenate([[0.0], np.cumsum(steps)])
    positions[_L6] = positions[_L5] + float(spacing_mm(24.5))
    return positions


_POSITIONS_MM = _positions_mm()
_THORACOLUMBAR_MM = float(spacing_mm(19.5))


def _links() -> tuple[Costs, Costs, npt.NDArray[np.int64]]:
    """Expected distance, variant cost and number of missed vertebrae from one level to another."""
    distance = np.full((COUNT, COUNT), 1.0)
    cost = np.full((COUNT, COUNT), IMPOSSIBLE)
    missed = np.zeros((COUNT, COUNT), dtype=np.int64)
    for upper in range(COUNT):
        for lower in range(upper + 1, COUNT):
            between = [r for r in range(upper + 1, lower) if r not in (_T13, _L6)]
            missed[upper, lower] = len(between)
            cost[upper, lower] = {_T13: VARIANT_COST, _L6: L6_COST}.get(lower, 0.0)
            distance[upper, lower] = _distance_mm(upper, lower)
    return distance, cost, missed


def _distance_mm(upper: int, lower: int) -> float:
    if upper == _T13:
        return float(_POSITIONS_MM[lower] - _POSITIONS_MM[_L1]) + _THORACOLUMBAR_MM
    if lower == _T13:
        return float(_POSITIONS_MM[_T12] - _POSITIONS_MM[upper]) + _THORACOLUMBAR_MM
    return float(_POSITIONS_MM[lower] - _POSITIONS_MM[upper])


_DISTANCE_MM, _VARIANT, _MISSED = _links()


def missed_between(upper: int, lower: int) -> int:
    """Number of usual vertebrae between two ranks."""
    return int(_MISSED[upper, lower])


def link_costs(cues: VertebraCues, next_cues: VertebraCues, scale: float) -> Costs:
    """Cost (COUNT, COUNT) of going from one level to the next one found, for a patient's scale."""
    assert cues.to_next_mm is not None
    sigma = SPACING_SIGMA * (2.0 if cues.cut or next_cues.cut else 1.0)
    surprise = np.log(cues.to_next_mm / (scale * _DISTANCE_MM)) / sigma
    costs = _VARIANT + MISSED_COST * _MISSED + _robust(surprise)
    # T11 followed by L1 in a patient without T12: one step long, not two
    single = np.log(cues.to_next_mm / (scale * _THORACOLUMBAR_MM)) / sigma
    costs[_T11, _L1] = min(costs[_T11, _L1], VARIANT_COST + float(_robust(single)))
    return costs


def number_costs(cues: ColumnCues, offset: float) -> Costs:
    """Cost (vertebra, COUNT) of the network's level numbers, given their offset in this scan."""
    seen = np.asarray([row.level_number for row in cues.vertebrae])
    weight = min(1.0, _INDEPENDENT_NUMBERS / len(seen))
    return weight * _robust((seen[:, None] - offset - NUMBERS) / LEVEL_SIGMA)


def _robust(surprise: npt.ArrayLike) -> Costs:
    return 0.5 * np.minimum(np.square(np.asarray(surprise, dtype=np.float64)), _ROBUST_LIMIT**2)


def _rib_tables() -> tuple[Costs, Costs]:
    present, absent = np.zeros(COUNT), np.zeros(COUNT)
    for rank, level in enumerate(LEVELS):
        if level.region == "T":
            absent[rank] = _RIB_ABSENT.get(level, 3.0)
        else:
            present[rank] = _RIB_PRESENT.get(level, 4.5)
    return present, absent


_RIB_PRESENT_COST, _RIB_ABSENT_COST = _rib_tables()


def rib_costs(cues: VertebraCues) -> Costs:
    """Cost (COUNT,) of a rib being attached, or missing."""
    if cues.ribs is None:
        return np.zeros(COUNT)
    weight = 0.5 if cues.cut else 1.0
    return weight * (cues.ribs * _RIB_PRESENT_COST + (1 - cues.ribs) * _RIB_ABSENT_COST)


def ilium_costs(cues: VertebraCues) -> Costs:
    """Cost (COUNT,) of iliac wings beside the body: the crest reaches L4 or L5, rarely L3."""
    if cues.ilium is None:
        return np.zeros(COUNT)
    present = np.asarray([_ILIUM_PRESENT.get(level, 0.0) for level in LEVELS])
    absent = np.asarray([_ILIUM_ABSENT.get(level, 0.0) for level in LEVELS])
    return cues.ilium * present + (1 - cues.ilium) * absent


def first_costs(cues: ColumnCues) -> Costs:
    """Cost (COUNT,) of the first vertebra's level: variants, the skull above, and the dens."""
    costs = np.zeros(COUNT)
    costs[_T13], costs[_L6] = VARIANT_COST, L6_COST
    if cues.skull_above and cues.vertebrae[0].level_number < 7:
        ranks = np.arange(COUNT)
        costs += np.minimum(1.5 * np.maximum(ranks - VertebraLevel.C2.rank, 0), 7.0)
    if dens_in_view(cues):
        costs += np.minimum(_DENS_COST * np.abs(np.arange(COUNT) - VertebraLevel.C2.rank), 9.0)
    return costs


def dens_in_view(cues: ColumnCues) -> bool:
    """The first vertebra is C2 by its dens."""
    return cues.dens_above and cues.vertebrae[0].level_number < _DENS_LOWEST


def last_costs(cues: ColumnCues) -> Costs:
    """Cost (COUNT,) of the last vertebra's level: L5 lies on the sacrum, rarely L4 or L6."""
    if cues.sacrum_below_mm is None:
        return np.zeros(COUNT)
    extra = max(0, round((cues.sacrum_below_mm - _SACRUM_TO_L5_MM) / float(spacing_mm(24))))
    ranks = np.arange(COUNT)
    steps = np.abs((_L5 - extra) - ranks)
    steps[_T13] = steps[_T12] = abs((_L5 - extra) - _L1) + 1
    steps[:_T12] -= 1
    if extra == 0:
        steps[_L6] = 0  # its rarity is already paid for on the way to it
    return np.minimum(_SACRUM_COST * steps, 9.0) + MISSED_COST * extra * 0.5
