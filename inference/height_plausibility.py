"""Heights that a vertebral body of this level in this patient cannot have.

A mask that holds parts of the next vertebra (at the edge of a scan, over a bridged disc) makes a
body too high, never too low: heights far above what the neighbours let expect are not reported.
Lost height is no reason, since that is what is looked for; and since neighbours may have lost
theirs, the largest of them and an adult's usual size say what is still possible.
"""

from __future__ import annotations

from collections.abc import Mapping

from inference.anatomy import VertebraLevel
from inference.normal_heights import NORMAL_SHAPE, POSTERIOR_HEIGHT_MM
from inference.report import Heights

TOO_HIGH = 1.28
"""Share of the expected height from which no bone spur or normal variation explains it."""
USUAL_SIZE = 1.05
"""Size that any adult may have, whatever is left of the neighbours."""
NEIGHBOUR_RANKS = 3
FEWEST_NEIGHBOURS = 2
SITES = ("anterior", "middle", "posterior")


def implausible_heights(heights_mm: Mapping[VertebraLevel, Heights]) -> dict[VertebraLevel, str]:
    """Levels whose heights cannot be right, with the reason as a sentence."""
    known = {level: h for level, h in heights_mm.items() if level in POSTERIOR_HEIGHT_MM}
    size = {level: _own_size(level, h) for level, h in known.items()}
    reasons = {}
    for level, heights in known.items():
        near = [
            value
            for other, value in size.items()
            if 0 < abs(other.rank - level.rank) <= NEIGHBOUR_RANKS
        ]
        if len(near) < FEWEST_NEIGHBOURS:
            continue
        site, excess = _highest(level, heights, max(USUAL_SIZE, *near))
        if excess > TOO_HIGH:
            value = float(getattr(heights, site))
            reasons[level] = (
                f"the {site} height of {value:.1f} mm is {round(100 * (excess - 1))} % above what "
                "the neighbours let expect: the mask may hold parts of another vertebra"
            )
    return reasons


def _own_size(level: VertebraLevel, heights: Heights) -> float:
    """How large the body is by its median height: one wrong or lost height does not change it."""
    shares = sorted(_expected_share(level, heights, site) for site in SITES)
    return shares[1]


def _highest(level: VertebraLevel, heights: Heights, scale: float) -> tuple[str, float]:
    shares = {site: _expected_share(level, heights, site) / scale for site in SITES}
    site = max(shares, key=lambda name: shares[name])
    return site, shares[site]


def _expected_share(level: VertebraLevel, heights: Heights, site: str) -> float:
    normal_mm = POSTERIOR_HEIGHT_MM[level] * float(getattr(NORMAL_SHAPE[level], site))
    return float(getattr(heights, site)) / normal_mm
