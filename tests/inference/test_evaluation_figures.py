"""The arithmetic of the evaluation: distances, matching, shifts, grades, intervals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.anatomy import VertebraLevel
from inference.evaluation.grading import compare_grades
from inference.evaluation.identification import identify
from inference.evaluation.intervals import rate, share
from inference.evaluation.overlap import dice, hausdorff95_mm
from inference.evaluation.reliability import NamedVertebra, reliability
from inference.evaluation.summary import fracture_figures

V = VertebraLevel


def spine(*levels: VertebraLevel, offset_mm: float = 0.0, step_mm: float = 30.0) -> dict:
    return {v: np.array([0.0, 0.0, -step_mm * n + offset_mm]) for n, v in enumerate(levels)}


def cube(start: int, size: int = 5) -> np.ndarray:
    mask = np.zeros((20, 12, 12), dtype=bool)
    mask[start : start + size, 3:8, 3:8] = True
    return mask


@given(st.integers(0, 6), st.floats(0.5, 4.0))
def test_hausdorff_of_a_moved_cube_is_the_way_it_moved(steps, spacing_mm):
    spacing = (spacing_mm, 1.0, 1.0)
    distance = hausdorff95_mm(cube(3), cube(3 + steps), spacing)
    assert distance == pytest.approx(steps * spacing_mm)
    assert distance == hausdorff95_mm(cube(3 + steps), cube(3), spacing)


def test_one_far_voxel_moves_the_maximum_but_not_the_95th_percentile():
    outlier = cube(3)
    outlier[19, 11, 11] = True
    assert hausdorff95_mm(cube(3), outlier, (1.0, 1.0, 1.0)) == 0.0


def test_empty_masks():
    nothing = np.zeros((4, 4, 4), dtype=bool)
    assert hausdorff95_mm(nothing, ~nothing, (1.0, 1.0, 1.0)) is None
    assert dice(nothing, nothing) == 1.0
    assert dice(nothing, ~nothing) == 0.0


def test_a_closer_wrong_name_prevents_identification():
    """VerSe: the closest found centre must carry the right name."""
    true = spine(V.L1)
    found = {V.L1: np.array([0.0, 0.0, 9.0]), V.L2: np.array([0.0, 0.0, 4.0])}
    (row,) = identify(true, found, set(found)).vertebrae
    assert not row.identified
    assert row.matched is V.L2
    assert row.localisation_error_mm == pytest.approx(9.0)


@pytest.mark.parametrize(("distance_mm", "is_identified"), [(20.0, True), (20.01, False)])
def test_identification_ends_at_twenty_millimetres(distance_mm, is_identified):
    found = spine(V.L1, offset_mm=distance_mm)
    result = identify(spine(V.L1), found, set(found))
    assert result.vertebrae[0].identified is is_identified
    assert (result.invented == ()) is is_identified


def shifts(true: tuple, found: tuple) -> list[int | None]:
    result = identify(spine(*true), spine(*found), set(found))
    return [row.shift for row in result.vertebrae]


def test_shifts_count_vertebrae_of_this_spine_not_label_numbers():
    """T13 counts as a step only where truth or answer has one."""
    assert shifts((V.T11, V.T12, V.L1), (V.T12, V.L1, V.L2)) == [1, 1, 1]
    assert shifts((V.T12, V.L1, V.L2), (V.T12, V.T13, V.L1)) == [0, -1, -1]
    assert shifts((V.T12, V.T13, V.L1), (V.T12, V.L1, V.L2)) == [0, 1, 1]
    assert shifts((V.T10, V.T11), (V.T12, V.L1)) == [2, 2]
    assert shifts((V.L5,), (V.L6,)) == [1]


def test_matching_prefers_more_pairs_over_shorter_ones():
    """Greedy pairing of the nearest two would leave one vertebra of each side alone."""
    true = {V.L1: np.array([0.0, 0, 18.0]), V.L2: np.array([0.0, 0, 0.0])}
    found = {V.L1: np.array([0.0, 0, 2.0]), V.L2: np.array([0.0, 0, -17.0])}
    result = identify(true, found, set(found))
    assert [row.matched for row in result.vertebrae] == [V.L1, V.L2]


@given(st.permutations([V.T11, V.T12, V.L1, V.L2]), st.floats(0, 9.0))
def test_every_found_vertebra_is_matched_invented_or_partial_exactly_once(names, offset_mm):
    true = spine(V.T12, V.L1, V.L2)
    found = spine(*names, offset_mm=offset_mm)
    result = identify(true, found, set(names[:2]))
    matched = [row.matched for row in result.vertebrae if row.matched is not None]
    everything = [*matched, *result.invented, *result.extra_partial]
    assert sorted(everything) == sorted(names)


def test_grades_are_compared_at_the_same_place_under_any_name():
    """The fracture of L1 was found and called T12; L3 was missed; T10 does not exist."""
    true_centres = spine(V.L1, V.L2, V.L3)
    found_centres = spine(V.T12, V.L2)
    found_centres[V.T10] = np.array([200.0, 0.0, 0.0])
    places = identify(true_centres, found_centres, set(found_centres))
    grading = compare_grades(
        {V.L1: 2, V.L2: 0, V.L3: 1, V.T5: 3}, {V.T12: 3, V.L2: None, V.T10: 1}, places
    )
    assert grading.not_located == (V.T5,)
    assert grading.invented_fractures == grading.false_positives == 1
    figures = fracture_figures([grading])
    assert figures["genant_confusion"] == [[0] * 4, [0] * 4, [0, 0, 0, 1], [0] * 4]
    assert figures["not_graded"] == [1, 0, 0, 0]
    assert figures["missed"] == [0, 1, 0, 0]
    assert (figures["sensitivity"]["hits"], figures["sensitivity"]["of"]) == (1, 2)
    assert figures["sensitivity_grade_2_3"]["value"] == 1.0
    assert figures["right_name"]["value"] == 0.0
    assert figures["specificity"]["value"] is None


def test_false_positives_count_flags_on_healthy_vertebrae_but_not_on_unjudged_ones():
    found = {V.L1: 1, V.L2: 0, V.L3: 2}
    grading = compare_grades({V.L1: 0, V.L2: 0}, found, None)
    assert grading.false_positives == 1
    assert grading.unjudged_fractures == 1
    figures = fracture_figures([grading, compare_grades({V.L2: 0}, found, None)])
    assert figures["false_positives_per_patient"]["value"] == 0.5
    assert figures["specificity"]["hits"] == 2


def test_wilson_interval_of_a_published_example():
    """Newcombe, Stat Med 1998, table I: 81 of 263 and 0 of 20."""
    large, none = share(81, 263), share(0, 20)
    assert (large["low"], large["high"]) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert (none["low"], none["high"]) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert share(0, 0)["value"] is None


def test_poisson_interval_of_known_counts():
    """Garwood 1936: 0 events have 3.689 as upper limit, 10 events 4.795 to 18.390."""
    assert rate(0, 1)["low"] == 0.0
    assert rate(0, 1)["high"] == pytest.approx(3.6889, abs=1e-4)
    assert (rate(10, 2)["low"], rate(10, 2)["high"]) == pytest.approx((2.3977, 9.1952), abs=1e-4)


@given(st.integers(0, 50), st.integers(1, 50))
def test_intervals_hold_their_value(hits, extra):
    for estimate in (share(hits, hits + extra), rate(hits, extra)):
        assert estimate["low"] <= estimate["value"] <= estimate["high"]


def test_reliability_bins_hold_every_vertebra_once():
    confidences = (0.0, 0.3, 0.5, 0.55, 0.9, 0.91, 0.95, 0.96, 1.0)
    named = [NamedVertebra(V.L1, c, c >= 0.9) for c in confidences]
    figures = reliability(named)
    assert sum(row["vertebrae"] for row in figures["bins"]) == len(confidences)
    last = figures["bins"][-1]
    assert last["vertebrae"] == 2
    assert last["mean_confidence"] == pytest.approx(0.98)
    assert figures["wrong_among_confident"]["hits"] == 0
    assert reliability([])["expected_calibration_error"] is None


def test_calibration_error_is_the_gap_between_confidence_and_truth():
    half_right = [NamedVertebra(V.L1, 0.98, right) for right in (True, False)]
    assert reliability(half_right)["expected_calibration_error"] == pytest.approx(0.48)
