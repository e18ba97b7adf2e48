"""Which of several series of a region is taken, and what is said of the others."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.best_series import Candidate, choose, regions
from service.config import RulesConfig
from service.series_facts import SeriesFacts

GOOD = SeriesFacts(
    images=200,
    Modality="CT",
    kernel="B30f",
    thickness_mm=1.0,
    orientation="axial",
    from_z_mm=0.0,
    to_z_mm=400.0,
    SeriesNumber=2,
)
RULES = RulesConfig()


def candidate(uid, **facts):
    return Candidate(uid, replace(GOOD, **facts))


@pytest.mark.parametrize(
    ("worse", "why"),
    [
        ({"to_z_mm": 200.0}, "coverage: 400 mm of the patient before 200 mm of the patient"),
        ({"thickness_mm": 3.0}, "thickness: 1.0 mm slices before 3.0 mm slices"),
        ({"thickness_mm": None}, "thickness: 1.0 mm slices before unknown slices"),
        ({"orientation": "sagittal"}, "plane: axial before sagittal"),
        ({"kernel": "B70f"}, "kernel: B30f (smooth) before B70f (sharp)"),
        ({"contrast": True}, "contrast: no contrast agent before contrast agent"),
        ({"original": False}, "original: original before derived"),
        ({"images": 150}, "images: 200 before 150"),
        ({"SeriesNumber": 3}, "alike, lower series number: 2 before 3"),
    ],
)
def test_the_first_criterion_that_tells_two_apart_is_the_reason(worse, why):
    best, other = candidate("1.1"), candidate("1.0", **worse)
    choice = choose([other, best], RULES)
    assert choice.best == best
    assert choice.others == ((other, why),)


def test_a_series_a_little_shorter_but_much_thinner_is_better():
    thin = candidate("1.1", to_z_mm=380.0)
    thick = candidate("1.2", thickness_mm=5.0)
    assert choose([thick, thin], RULES).best == thin


def test_the_order_of_the_criteria_is_the_site_s():
    sharp_thin, smooth_thick = candidate("1.1", kernel="B70f"), candidate("1.2", thickness_mm=3.0)
    assert choose([sharp_thin, smooth_thick], RULES).best == sharp_thin
    kernel_first = RulesConfig(prefer=("kernel", "thickness"))
    assert choose([sharp_thin, smooth_thick], kernel_first).best == smooth_thick


def test_kernels_that_the_site_prefers_come_in_its_order():
    bone, soft = candidate("1.1", kernel="B70f"), candidate("1.2")
    assert choose([bone, soft], RulesConfig(prefer_kernel=("B7*", "B3*"))).best == bone


def test_neck_and_loin_are_different_regions_of_which_both_are_wanted():
    neck = candidate("1.1", from_z_mm=600.0, to_z_mm=800.0)
    neck_sharp = candidate("1.2", from_z_mm=590.0, to_z_mm=790.0, kernel="B70f")
    loin = candidate("1.3")
    assert set(map(frozenset, regions([neck_sharp, loin, neck]))) == {
        frozenset({neck, neck_sharp}),
        frozenset({loin}),
    }


def test_positions_of_two_frames_of_reference_do_not_compare_but_body_parts_do():
    one = candidate("1.1", FrameOfReferenceUID="1", BodyPartExamined="CSPINE")
    other = candidate("1.2", FrameOfReferenceUID="2", BodyPartExamined="LSPINE")
    assert len(regions([one, other])) == 2
    unnamed = candidate("1.3", FrameOfReferenceUID="2")
    assert len(regions([one, unnamed])) == 1


def test_a_series_of_unknown_place_belongs_to_the_first_region():
    unknown = candidate("1.2", from_z_mm=None, to_z_mm=None)
    assert len(regions([candidate("1.1"), unknown])) == 1


facts = st.builds(
    SeriesFacts,
    images=st.integers(1, 3),
    kernel=st.sampled_from(["", "B30f", "B70f", "odd"]),
    thickness_mm=st.sampled_from([None, 0.6, 2.0, 5.0]),
    orientation=st.sampled_from(["", "axial", "coronal"]),
    from_z_mm=st.sampled_from([None, 0.0, 100.0, 500.0]),
    to_z_mm=st.sampled_from([None, 600.0, 900.0]),
    contrast=st.booleans(),
    SeriesNumber=st.integers(0, 2),
)


@given(st.lists(facts, min_size=1, max_size=6), st.randoms())
def test_every_series_is_taken_or_has_a_reason_whatever_the_order(some, random):
    candidates = [Candidate(f"1.{number}", each) for number, each in enumerate(some)]
    shuffled = random.sample(candidates, len(candidates))
    first, again = (
        [choose(group, RULES) for group in regions(each)] for each in (candidates, shuffled)
    )
    assert first == again
    named = [c for each in first for c in (each.best, *(other for other, _ in each.others))]
    assert sorted(c.SeriesInstanceUID for c in named) == sorted(
        c.SeriesInstanceUID for c in candidates
    )
    assert all(why for each in first for _, why in each.others)
