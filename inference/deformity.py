"""Deformities that look like fractures in numbers and are none.

Scheuermann's disease (Sørensen's criterion: three or more neighbouring vertebrae wedged by at
least 5 degrees) gives a run of mild anterior wedging where fractures come singly or in grades. A
physiologically short vertebra is evenly low with the shape its level has (short vertebral height;
algorithm-based qualitative reading, Jiang et al., Osteoporos Int 2004).
"""

from __future__ import annotations

from collections.abc import Mapping

from inference.anatomy import VertebraLevel
from inference.normal_heights import NORMAL_SHAPE
from inference.report import FractureFinding, Heights

SMALLEST_SERIES = 3
MILD_WEDGING = (0.11, 0.30)
"""Anterior against posterior loss of one member; 5 degrees over 30 mm of a 23 mm body is 0.11."""
SERIES_FLAG = "scheuermann_like"
SHORT_LOSS = (0.10, 0.25)
"""Loss against the neighbours of a body that may be short by nature; a fracture loses more."""
SHORT_SHAPE_TOLERANCE = 0.07
"""How far front and middle may depart from the level's normal shape: no part has sunk alone."""
SHORT_FLAG = "short_vertebra"


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


def is_short_vertebra(level: VertebraLevel, heights: Heights, finding: FractureFinding) -> bool:
    """Evenly lower than its neighbours with its level's shape: short by nature is possible."""
    if level not in NORMAL_SHAPE or finding.reference != "neighbours":
        return False
    low, high = SHORT_LOSS
    normal = NORMAL_SHAPE[level]
    return low <= finding.height_loss < high and all(
        abs(getattr(heights, site) / heights.posterior - getattr(normal, site))
        <= SHORT_SHAPE_TOLERANCE
        for site in ("anterior", "middle")
    )


def series_remark(series: tuple[VertebraLevel, ...]) -> str:
    """What to say of each member of a series."""
    levels = f"{series[0].name}-{series[-1].name}"
    return f"One of a series of mild anterior wedging ({levels}), as in Scheuermann's disease."


SHORT_REMARK = "Evenly low with sound endplates: a vertebra short by nature is possible."
