"""Where the column goes on, and that nothing of pelvis, limb or skull is taken into it."""

from __future__ import annotations

import numpy as np
import pytest

from inference.column import column_chain
from inference.preprocess import VOXEL_MM
from inference.spinal_priors import body_volume_ml, spacing_mm
from inference.votes import BodyCandidate

L5 = 24.0


def body(level: float, z_mm: float, aside_mm: float = 0.0, fullness: float = 1.0) -> BodyCandidate:
    """A candidate at a height above L5."""
    votes = round(fullness * body_volume_ml(level) * 1000 / VOXEL_MM**3)
    return BodyCandidate((z_mm / VOXEL_MM, 0.0, aside_mm / VOXEL_MM), votes, level)


@pytest.fixture
def lumbar() -> list[BodyCandidate]:
    """L5 to L2, upright."""
    step = float(spacing_mm(22.5))
    return [body(L5 - n, n * step) for n in range(4)]


def test_a_flat_body_that_goes_on_is_one_more_vertebra(lumbar: list[BodyCandidate]) -> None:
    above = lumbar[-1].centre[0] * VOXEL_MM
    flat = body(20.5, above + 0.6 * float(spacing_mm(20.5)), fullness=0.45)
    assert flat in column_chain([*lumbar, flat])


@pytest.mark.parametrize(("fullness", "taken"), [(0.9, True), (0.45, False)])
def test_a_whole_body_goes_on_above_two_that_were_taken_for_one(
    fullness: float, taken: bool
) -> None:
    """Its level reads too low, and it stands a step and a half above the middle of the two."""
    neck = [
        body(level, z_mm) for level, z_mm in ((8.2, 0), (7.5, 18), (5.4, 33), (4.1, 49), (2.9, 66))
    ]
    above = body(3.4, 91.0, fullness=fullness)
    assert (above in column_chain([*neck, above])) == taken


@pytest.mark.parametrize("level", [L5, 15.0])
def test_a_bone_straight_above_that_reads_as_another_region_is_none(
    lumbar: list[BodyCandidate], level: float
) -> None:
    above = lumbar[-1].centre[0] * VOXEL_MM
    bone = body(level, above + 0.6 * float(spacing_mm((21 + level) / 2)), fullness=0.45)
    assert bone not in column_chain([*lumbar, bone])


def test_hips_below_the_column_are_none(lumbar: list[BodyCandidate]) -> None:
    hips = [body(25.0, -45.0, side * 85.0, fullness=1.5) for side in (-1, 1)]
    assert set(column_chain([*lumbar, *hips])) == set(lumbar)


@pytest.mark.parametrize(("degrees", "found"), [(0, 8), (66, 8), (78, 1)])
def test_a_stooped_neck_is_one_column_and_a_row_of_bones_across_is_none(
    degrees: float, found: int
) -> None:
    step = float(spacing_mm(7.0))
    up, aside = step * np.cos(np.radians(degrees)), step * np.sin(np.radians(degrees))
    neck = [body(10.0 - n, n * up, n * aside) for n in range(8)]
    assert len(column_chain(neck)) == found
