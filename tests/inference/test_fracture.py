"""Genant grades and types from heights alone."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference import Heights, VertebraLevel
from inference.fracture import grade, grade_of_loss
from inference.normal_heights import POSTERIOR_HEIGHT_MM

V = VertebraLevel
THORACOLUMBAR = [v for v in VertebraLevel.ordered() if V.T4.rank <= v.rank <= V.L5.rank and v != 28]


def normal(level: VertebraLevel, size: float = 1.05) -> Heights:
    posterior = POSTERIOR_HEIGHT_MM[level] * size
    anterior = {"T": 0.94, "L": 1.04}[level.region] * posterior
    return Heights(anterior, 0.96 * posterior, posterior)


def spine(size: float = 1.05) -> dict[VertebraLevel, Heights]:
    return {level: normal(level, size) for level in THORACOLUMBAR}


@pytest.mark.parametrize(
    ("loss", "expected"),
    [(0.0, 0), (0.1999, 0), (0.20, 1), (0.2499, 1), (0.25, 2), (0.3999, 2), (0.40, 3), (0.9, 3)],
)
def test_grade_thresholds_belong_to_the_higher_grade(loss: float, expected: int) -> None:
    assert grade_of_loss(loss) == expected


def test_a_normal_spine_has_no_fracture() -> None:
    findings = grade(spine())
    assert {f.grade for f in findings.values()} == {0}
    assert {f.type for f in findings.values()} == {"none"}


def test_a_wedge_is_named_with_both_heights() -> None:
    heights = spine() | {V.T12: Heights(17.2, 21.5, 24.9)}
    finding = grade(heights)[V.T12]
    assert finding.sentence == (
        "T12: anterior height 17.2 mm, 31 % below posterior 24.9 mm: grade 2 wedge."
    )
    assert (finding.grade, finding.type, finding.reference) == (2, "wedge", "posterior")
    assert finding.height_loss == pytest.approx(1 - 17.2 / 24.9)


def test_a_sunken_middle_is_biconcave() -> None:
    heights = spine() | {V.L2: Heights(24.0, 13.0, 25.0)}
    finding = grade(heights)[V.L2]
    assert (finding.grade, finding.type) == (3, "biconcave")


def test_a_uniformly_low_body_is_measured_against_its_neighbours() -> None:
    """Its own posterior height would say "no loss"."""
    low = {V.L1: Heights(17.0, 16.8, 17.2)}
    finding = grade(spine() | low)[V.L1]
    assert (finding.type, finding.reference) == ("crush", "neighbours")
    assert finding.reference_height_mm == pytest.approx(1.05 * 23.8, rel=0.03)
    assert finding.grade == 2


def test_a_posterior_height_far_above_the_neighbours_makes_no_fracture_of_a_sound_front() -> None:
    """An edge of the next vertebra taken for its own; 12 % more than expected is the limit."""
    sound = normal(V.T9)
    finding = grade(spine() | {V.T9: Heights(sound.anterior, sound.middle, 24.6)})[V.T9]
    assert finding.grade == 0
    assert finding.reference == "neighbours"
    assert finding.reference_height_mm == pytest.approx(1.12 * sound.posterior)
    assert "that its neighbours let expect at most" in finding.sentence


def test_a_wedge_under_a_posterior_wall_that_is_a_little_high_keeps_its_reference() -> None:
    sound = normal(V.L1)
    finding = grade(spine() | {V.L1: Heights(18.0, 21.0, 1.08 * sound.posterior)})[V.L1]
    assert (finding.grade, finding.reference) == (2, "posterior")


def test_two_neighbouring_crushed_bodies_do_not_excuse_each_other() -> None:
    low = {V.L1: Heights(15.0, 15.0, 15.0), V.L2: Heights(15.0, 15.0, 15.0)}
    findings = grade(spine() | low)
    assert [findings[v].type for v in (V.L1, V.L2)] == ["crush", "crush"]
    assert findings[V.L3].grade == 0


def test_l5_with_a_low_posterior_wall_is_normal() -> None:
    heights = spine() | {V.L5: Heights(28.0, 25.0, 1.05 * 24.0 * 0.85)}
    assert grade(heights)[V.L5].grade == 0


def test_a_lone_vertebra_is_graded_by_itself() -> None:
    findings = grade({V.L1: Heights(15.0, 20.0, 25.0)})
    assert (findings[V.L1].grade, findings[V.L1].reference) == (3, "posterior")


def test_the_cervical_spine_is_not_graded() -> None:
    assert grade({V.C5: Heights(8.0, 9.0, 11.4)}) == {}


def test_a_series_of_mild_wedges_is_called_by_its_likely_name() -> None:
    wedged = {v: Heights(0.84 * p, 0.92 * p, p) for v in (V.T6, V.T7, V.T8) if (p := 18.5)}
    findings = grade(spine() | wedged)
    assert "Scheuermann" in findings[V.T7].sentence
    assert "T6-T8" in findings[V.T7].sentence
    assert "Scheuermann" not in findings[V.T9].sentence


def test_confidence_is_low_at_the_threshold_and_high_far_from_it() -> None:
    near = grade({V.L1: Heights(19.9, 22.0, 25.0)}, {V.L1: 0.4})[V.L1].confidence
    far = grade({V.L1: Heights(13.0, 19.0, 25.0)}, {V.L1: 0.4})[V.L1].confidence
    assert near is not None
    assert far is not None
    assert near < 0.65
    assert far > 0.99


@settings(deadline=None)  # a shared machine may stop at any moment
@given(
    st.lists(st.tuples(*[st.floats(5.0, 40.0)] * 3), min_size=1, max_size=len(THORACOLUMBAR)),
)
def test_findings_keep_their_invariants(values: list[tuple[float, float, float]]) -> None:
    """Loss in 0..1, grade follows loss, type is none exactly for grade 0, for any heights."""
    heights = {v: Heights(*h) for v, h in zip(THORACOLUMBAR, values, strict=False)}
    for level, finding in grade(heights).items():
        assert 0.0 <= finding.height_loss <= 1.0
        assert finding.grade == grade_of_loss(finding.height_loss)
        assert (finding.type == "none") == (finding.grade == 0)
        assert finding.confidence is not None
        assert 0.5 <= finding.confidence <= 1.0
        assert finding.sentence.startswith(level.name + ":")


@settings(deadline=None)  # a shared machine may stop at any moment
@given(st.floats(0.7, 1.4))
def test_grades_do_not_depend_on_the_size_of_the_patient(size: float) -> None:
    reference = grade(spine(1.0) | {V.T8: Heights(12.0, 14.0, 18.7)})[V.T8]
    scaled = Heights(12.0 * size, 14.0 * size, 18.7 * size)
    finding = grade(spine(size) | {V.T8: scaled})[V.T8]
    assert (finding.grade, finding.type) == (reference.grade, reference.type)


def test_two_neighbours_that_have_both_sunk_do_not_excuse_each_other() -> None:
    """T9 and T10, each with a posterior wall 11 % low and a hollow of 18 %, between sound ones."""
    both = {
        level: Heights(0.90 * p, 0.82 * p, p)
        for level in (V.T9, V.T10)
        if (p := 0.89 * 1.05 * POSTERIOR_HEIGHT_MM[level])
    }
    findings = grade(spine() | both)
    assert [findings[v].reference for v in (V.T9, V.T10)] == ["neighbours", "neighbours"]
    assert [findings[v].grade for v in (V.T8, V.T9, V.T10, V.T11)] == [0, 2, 2, 0]


def test_the_sentence_never_contradicts_the_grade_by_rounding() -> None:
    """19.6 % is below the threshold and must not be printed as 20 %."""
    finding = grade({V.L2: Heights(24.0, 0.804 * 25.0, 25.0)})[V.L2]
    assert finding.grade == 0
    assert "19 % below" in finding.sentence


def test_several_neighbours_that_have_sunk_do_not_hide_each_other() -> None:
    """T9, T10 and T11 low with sunken middles, L1 collapsed: sound ones further off testify."""
    sunk = {
        level: Heights(0.92 * p, 0.83 * p, p)
        for level in (V.T9, V.T10, V.T11)
        if (p := 0.88 * 1.05 * POSTERIOR_HEIGHT_MM[level])
    }
    seen = {v: h for v, h in spine().items() if V.T9.rank <= v.rank <= V.L4.rank}
    findings = grade(seen | sunk | {V.L1: Heights(12.0, 9.0, 13.0)})
    assert [v for v, f in findings.items() if f.fractured] == [V.T9, V.T10, V.T11, V.L1]


def test_an_evenly_low_vertebra_is_said_to_be_possibly_short_by_nature() -> None:
    posterior = 0.84 * 1.05 * POSTERIOR_HEIGHT_MM[V.T8]
    low = Heights(0.93 * posterior, 0.92 * posterior, posterior)
    sunk = Heights(0.93 * posterior, 0.75 * posterior, posterior)
    assert "short by nature" in grade(spine() | {V.T8: low})[V.T8].sentence
    assert "short by nature" not in grade(spine() | {V.T8: sunk})[V.T8].sentence
