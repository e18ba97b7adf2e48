"""Vertebral fractures as station heights: what a request means, and what the heights say back.

Height loss, grade and type follow the node's contract: loss is one minus the smallest station
height over the reference; the reference is the body's own posterior height, unless that is lower
than expected from the neighbours (crush), then the height interpolated between the unfractured
neighbours. Grades after Löffler et al. 2020: 20, 25 and 40 %.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from inference.anatomy import VertebraLevel
from inference.phantom.errors import InvalidPhantom
from inference.phantom.sizes import LEVEL_SIZES, LevelSize
from inference.report import Heights

FRACTURE_TYPES = ("wedge", "biconcave", "crush")
LARGEST_LOSS = 0.75
"""Largest height loss that can be built."""
GRADE_THRESHOLDS = (0.20, 0.25, 0.40)
"""Height losses from which on grades 1, 2 and 3 are given (Löffler et al. 2020)."""
POSTERIOR_TOLERANCE = 0.10
"""A posterior height more than this share below its expectation counts as crushed; neighbouring
healthy vertebrae differ by less."""


@dataclass(frozen=True)
class Fracture:
    """A requested fracture: level, type (wedge, biconcave, crush) and height loss (0 to 1).

    A loss of 0 leaves the body as it is.

    Raises
    ------
    InvalidPhantom
        If the type is unknown or the loss cannot be built.
    """

    level: VertebraLevel
    type: str
    loss: float

    def __post_init__(self) -> None:
        if self.type not in FRACTURE_TYPES:
            raise InvalidPhantom(f"fracture type {self.type!r} is not one of {FRACTURE_TYPES}")
        if not 0 <= self.loss <= LARGEST_LOSS:
            raise InvalidPhantom(f"fracture loss {self.loss} is not within 0 to {LARGEST_LOSS}")


def normal_heights(
    levels: tuple[VertebraLevel, ...],
    sizes: list[LevelSize],
    rng: np.random.Generator,
    variation: float,
) -> list[Heights]:
    """Station heights of healthy bodies: wedging and concavity stay clear of grade 1."""
    heights = []
    for _, size in zip(levels, sizes, strict=True):
        posterior = size.height * (1 + variation * rng.uniform(-0.015, 0.015))
        ratio = max(0.93, size.anterior_ratio + variation * rng.uniform(-0.015, 0.02))
        middle = (1 + ratio) / 2 * (0.945 + variation * rng.uniform(-0.02, 0.02))
        heights.append(Heights(posterior * ratio, posterior * max(0.90, middle), posterior))
    return heights


def fractured_heights(
    levels: tuple[VertebraLevel, ...],
    normal: list[Heights],
    fractures: tuple[Fracture, ...],
    reference: tuple[VertebraLevel, ...],
) -> tuple[list[Heights], list[Fracture | None]]:
    """Station heights after the requested fractures, and which level carries which.

    `reference` names the levels whose healthy heights a crush is measured against.
    """
    wanted = {fracture.level: fracture for fracture in fractures if fracture.loss > 0}
    carried = [wanted.get(level) for level in levels]
    healthy = {
        level: height.posterior
        for level, height, fracture in zip(levels, normal, carried, strict=True)
        if fracture is None and level in reference
    }
    heights = []
    for level, height, fracture in zip(levels, normal, carried, strict=True):
        if fracture is None:
            heights.append(height)
            continue
        expected = expected_posterior(level, healthy)
        heights.append(_collapse(height, fracture, expected or height.posterior))
    return heights, carried


def _collapse(height: Heights, fracture: Fracture, expected: float) -> Heights:
    loss = fracture.loss
    if fracture.type == "crush":
        posterior = expected * (1 - loss)
        return Heights(expected * (1 - 0.93 * loss), expected * (1 - 0.95 * loss), posterior)
    posterior = height.posterior
    if fracture.type == "wedge":
        middle = min(height.middle, posterior * (1 - 0.62 * loss))
        return Heights(posterior * (1 - loss), middle, posterior)
    anterior = min(height.anterior, posterior * (1 - 0.3 * loss))
    return Heights(anterior, posterior * (1 - loss), posterior)


def expected_posterior(level: VertebraLevel, healthy: dict[VertebraLevel, float]) -> float | None:
    """Posterior height interpolated between the nearest healthy neighbours of `level`.

    With healthy neighbours on one side only, the nearest one's height in the average proportion
    of the two levels; None without any.
    """
    above = [other for other in healthy if other.rank < level.rank]
    below = [other for other in healthy if other.rank > level.rank]
    upper = max(above, key=lambda other: other.rank, default=None)
    lower = min(below, key=lambda other: other.rank, default=None)
    if upper is None or lower is None:
        nearest = upper if lower is None else lower
        if nearest is None:
            return None
        return healthy[nearest] * LEVEL_SIZES[level].height / LEVEL_SIZES[nearest].height
    weight = (level.rank - upper.rank) / (lower.rank - upper.rank)
    return healthy[upper] * (1 - weight) + healthy[lower] * weight


def height_loss(
    heights: Heights, expected: float | None, tolerance: float = POSTERIOR_TOLERANCE
) -> float:
    """Height loss of one body, 0 to 1; `expected` is the neighbours' posterior height.

    Of a body that is known to be crushed, `tolerance` is 0: no healthy variation to allow for.
    """
    reference = heights.posterior
    if expected is not None and heights.posterior < expected * (1 - tolerance):
        reference = expected
    smallest = min(heights.anterior, heights.middle, heights.posterior)
    return max(0.0, 1 - smallest / reference)


def grade(loss: float) -> int:
    """Genant grade 0 to 3 of a height loss."""
    return sum(loss >= threshold for threshold in GRADE_THRESHOLDS)


def fracture_type(heights: Heights, expected: float | None) -> str:
    """Wedge, biconcave or crush, whichever loss is most prominent (grade 1 and above)."""
    if expected is not None and heights.posterior < expected * (1 - POSTERIOR_TOLERANCE):
        smallest = min(heights.anterior, heights.middle)
        if heights.posterior <= smallest * 1.02:
            return "crush"
    return "biconcave" if heights.middle < heights.anterior else "wedge"
