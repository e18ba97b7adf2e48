"""Was every vertebra found where it is, and under its own name?

A vertebra is *identified* as in VerSe (Sekuboyina et al., Med Image Anal 2021): of all found
centres the one closest to the true centre carries the right name and lies within 20 mm.
*Matching* ignores names: true and found centres are paired one to one within 20 mm, as many pairs
as possible, then with the smallest sum of distances.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from inference.anatomy import VertebraLevel
from inference.evaluation.centroid_file import Centroids

MATCH_WITHIN_MM = 20.0
_NEVER = 1e6


@dataclass(frozen=True)
class Placement:
    """One true vertebra.

    Attributes
    ----------
    localisation_error_mm
        Distance to the found vertebra of the same name, however far; None if there is none.
    matched
        Name of the found vertebra at this place; None if the vertebra was missed.
    centre_error_mm
        Distance to `matched`.
    shift
        Steps along the spine from the true name to `matched`, positive towards the feet.
    """

    level: VertebraLevel
    identified: bool
    localisation_error_mm: float | None
    matched: VertebraLevel | None
    centre_error_mm: float | None
    shift: int | None


@dataclass(frozen=True)
class Identification:
    """All true vertebrae of a case, and what was found besides.

    Attributes
    ----------
    invented
        Found complete vertebrae where the truth has none.
    extra_partial
        Found vertebrae that the field of view cuts and the truth does not list: readers leave
        these out as a rule, so they are counted apart.
    """

    vertebrae: tuple[Placement, ...]
    invented: tuple[VertebraLevel, ...]
    extra_partial: tuple[VertebraLevel, ...]


def identify(
    true: Centroids, found: Centroids, found_complete: Collection[VertebraLevel]
) -> Identification:
    """Compare names and places of true and found vertebrae of one case."""
    pairs = _match(true, found)
    position = _positions({*true, *found})
    placements = tuple(
        _placement(level, true, found, pairs.get(level), position)
        for level in sorted(true, key=lambda v: v.rank)
    )
    unmatched = sorted(set(found) - set(pairs.values()), key=lambda v: v.rank)
    return Identification(
        vertebrae=placements,
        invented=tuple(v for v in unmatched if v in found_complete),
        extra_partial=tuple(v for v in unmatched if v not in found_complete),
    )


def _placement(
    level: VertebraLevel,
    true: Centroids,
    found: Centroids,
    matched: VertebraLevel | None,
    position: dict[VertebraLevel, int],
) -> Placement:
    distances = {v: float(np.linalg.norm(found[v] - true[level])) for v in found}
    closest = min(distances, key=distances.__getitem__, default=None)
    return Placement(
        level=level,
        identified=closest is level and distances[level] <= MATCH_WITHIN_MM,
        localisation_error_mm=distances.get(level),
        matched=matched,
        centre_error_mm=None if matched is None else distances[matched],
        shift=None if matched is None else position[matched] - position[level],
    )


def _match(true: Centroids, found: Centroids) -> dict[VertebraLevel, VertebraLevel]:
    if not true or not found:
        return {}
    rows, columns = list(true), list(found)
    distance_mm = np.array([[np.linalg.norm(true[t] - found[f]) for f in columns] for t in rows])
    cost = np.where(distance_mm <= MATCH_WITHIN_MM, distance_mm, _NEVER)
    chosen = zip(*linear_sum_assignment(cost), strict=True)
    return {rows[r]: columns[c] for r, c in chosen if cost[r, c] < _NEVER}


def _positions(present: Collection[VertebraLevel]) -> dict[VertebraLevel, int]:
    """Place of every level along this spine; T13 is a step only where somebody names it."""
    steps = [v for v in VertebraLevel.ordered() if v is not VertebraLevel.T13 or v in present]
    return {level: place for place, level in enumerate(steps)}
