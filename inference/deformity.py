"""Deformities that look like fractures in numbers and are none.

Scheuermann's disease (Sørensen's criterion: three or more neighbouring vertebrae wedged by at
least 5 degrees) gives a run of mild anterior wedging where fractures come singly or in grades.
"""

from __future__ import annotations

from collections.abc import Mapping

from inference.anatomy import VertebraLevel
from inference.report import Heights

SMALLEST_SERIES = 3
MILD_WEDGING = (0.11, 0.30)
"""Anterior against posterior loss of one member; 5 degrees over 30 mm of a 23 mm body is 0.11."""
FLAG = "scheuermann_like"


def anterior_wedging(heights: Heights) -> float:
    """Anterior height loss against the own posterior height."""
    return 1.0 - heights.anterior / heights.posterior


def scheuermann_series(heights_mm: Mapping[VertebraLevel, Heights]) -> tuple[VertebraLevel, ...]:
    """The longest run of neighbouring mildly wedged levels, T4 to L2; empty below three."""
    best: list[VertebraLevel] = []
    run: list[VertebraLevel] = []
    for level in VertebraLevel.ordered():
        heights = heights_mm.get(level)
        in_reach = VertebraLevel.T4.rank <= level.rank <= VertebraLevel.L2.rank
        if level is VertebraLevel.T13 and heights is None:
            continue
        if heights is None or not in_reach or not _mildly_wedged(heights):
            run = []
            continue
        run = [*run, level]
        best = max(best, run, key=len)
    return tuple(best) if len(best) >= SMALLEST_SERIES else ()


def _mildly_wedged(heights: Heights) -> bool:
    low, high = MILD_WEDGING
    wedging = anterior_wedging(heights)
    # the middle follows the wedge half-way; a deep middle is a fracture's
    sunk = 1.0 - heights.middle / heights.posterior
    return low <= wedging < high and sunk < wedging
