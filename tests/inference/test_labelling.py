"""Level names from cues alone: chains whose truth is known."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from inference.anatomy import VertebraLevel
from inference.cues import ColumnCues, VertebraCues
from inference.labelling import UNANCHORED_CONFIDENCE, label_column
from inference.level_costs import NUMBERS
from inference.spinal_priors import spacing_mm

STANDARD = tuple(v for v in VertebraLevel.ordered() if v.name not in ("T13", "L6"))
WITH_T13 = tuple(v for v in VertebraLevel.ordered() if v.name != "L6")
WITH_L6 = tuple(v for v in VertebraLevel.ordered() if v.name != "T13")
WITHOUT_T12 = tuple(v for v in STANDARD if v.name != "T12")


def span(patient, first, last):
    names = [v.name for v in patient]
    return patient[names.index(first) : names.index(last) + 1]


def column(levels, sacrum=False, scale=1.0, offset=0.0, noise=None, missing=()):
    """Cues a scan of `levels` would give; `missing` are indices the network did not find."""
    noise = np.zeros((len(levels), 2)) if noise is None else noise
    numbers = NUMBERS[[v.rank for v in levels]]
    gaps = [
        float(spacing_mm((a + b) / 2)) * scale * np.exp(0.06 * noise[n, 0])
        for n, (a, b) in enumerate(pairwise(numbers))
    ]
    rows = []
    kept = [n for n in range(len(levels)) if n not in missing]
    for n, after in zip(kept, (*kept[1:], None), strict=True):
        rows.append(
            VertebraCues(
                level_number=float(numbers[n] + offset + 0.4 * noise[n, 1]),
                ribs=1.0 if levels[n].region == "T" else 0.0,
                to_next_mm=None if after is None else sum(gaps[n:after]),
            )
        )
    return ColumnCues(tuple(rows), 24.0 if sacrum else None, skull_above=False)


def codes(labelling):
    return {notice.code for notice in labelling.warnings}


def test_a_lumbar_scan_with_sacrum_is_named_with_confidence():
    """T11 to L5 above the sacrum: every name right, and known to be right."""
    levels = span(STANDARD, "T11", "L5")
    named = label_column(column(levels, sacrum=True, offset=0.8))
    assert named.levels == levels
    assert min(named.confidences) > 0.9
    assert not named.warnings


def test_a_scan_without_anchor_says_that_the_level_could_be_off_by_one():
    """Ribs at every vertebra fit several thoracic names."""
    named = label_column(column(span(STANDARD, "T4", "T9")))
    assert "no_anchor" in codes(named)
    assert max(named.confidences) <= UNANCHORED_CONFIDENCE


def test_thirteen_rib_bearing_vertebrae_above_five_lumbar_ones_are_t13():
    levels = span(WITH_T13, "T1", "L5")
    named = label_column(column(levels, sacrum=True))
    assert named.levels == levels
    assert "unusual_count" in codes(named)


def test_six_vertebrae_without_ribs_above_the_sacrum_are_l6():
    """Twelve pairs of ribs are in view, so it is the lumbar spine that is longer."""
    levels = span(WITH_L6, "C6", "L6")
    named = label_column(column(levels, sacrum=True))
    assert named.levels == levels
    assert "unusual_count" in codes(named)


def test_six_ribless_vertebrae_under_an_uncounted_thorax_stay_uncertain():
    """An L6 or a T12 without ribs: nothing in view decides."""
    named = label_column(column(span(WITH_L6, "T5", "L6"), sacrum=True))
    assert max(named.confidences) < 0.9


def test_a_patient_without_t12_is_not_surely_given_one():
    """Eleven rib-bearing vertebrae: T12 is missing, or the first rib was not seen."""
    levels = span(WITHOUT_T12, "C6", "L5")
    named = label_column(column(levels, sacrum=True))
    by_name = dict(zip(named.levels, named.confidences, strict=True))
    assert by_name.get(VertebraLevel.T12, 0.0) < 0.9
    assert named.levels[-5:] == levels[-5:]


def test_a_missing_t12_is_reported_when_nothing_else_explains_the_count():
    """The skull is in view, so the cervical names are fixed as well."""
    levels = span(WITHOUT_T12, "C2", "L5")
    cues = column(levels, sacrum=True)
    named = label_column(replace(cues, skull_above=True))
    assert VertebraLevel.T12 not in named.levels
    assert "unusual_count" in codes(named)


def test_four_lumbar_vertebrae_or_a_lumbar_rib_are_said_to_be_unusual():
    """A rib at the fifth vertebra above the sacrum: counting from either end gives another name."""
    named = label_column(column(span(STANDARD, "T12", "L4"), sacrum=True))
    assert "unusual_count" in codes(named)
    assert max(named.confidences) < 0.9


def test_a_clear_first_rib_outweighs_level_numbers_that_are_three_off():
    """As seen in a phantom's C6 to T4 in 5 mm slices."""
    numbers, gaps = (3.3, 3.1, 3.9, 6.2, 7.8, 9.9), (19.4, 16.4, 21.7, 21.3, 16.2, None)
    ribs, cut = (0.0, 0.0, 1.0, 1.0, 1.0, 1.0), (True, False, False, False, False, True)
    rows = tuple(
        VertebraCues(number, rib, gap, None, ends)
        for number, rib, gap, ends in zip(numbers, ribs, gaps, cut, strict=True)
    )
    named = label_column(ColumnCues(rows, None, skull_above=False))
    assert named.levels == span(STANDARD, "C6", "T4")


@pytest.mark.parametrize("lost", ["T10", "L1", "L3"])
def test_a_vertebra_that_was_not_found_leaves_its_name_free(lost):
    """Names below and above a gap stay right, and the gap is reported."""
    levels = span(STANDARD, "T8", "L5")
    at = [v.name for v in levels].index(lost)
    named = label_column(column(levels, sacrum=True, missing=(at,)))
    assert named.levels == tuple(v for v in levels if v.name != lost)
    assert "gap_in_column" in codes(named)


def test_rudimentary_ribs_at_l1_do_not_shift_a_column_on_the_sacrum():
    levels = span(STANDARD, "T10", "L5")
    cues = column(levels, sacrum=True)
    rows = list(cues.vertebrae)
    rows[3] = replace(rows[3], ribs=0.3)
    named = label_column(ColumnCues(tuple(rows), 24.0, skull_above=False))
    assert named.levels == levels


def test_a_long_eleventh_rib_over_a_rudimentary_twelfth_does_not_make_an_l5_above_the_crest():
    """T10 to L4 with faint ribs at T12, and no iliac wings beside the last vertebra."""
    levels = span(STANDARD, "T10", "L4")
    cues = column(levels, offset=-0.3)
    rows = [replace(row, ilium=0.0) for row in cues.vertebrae]
    rows[2] = replace(rows[2], ribs=0.2)
    named = label_column(ColumnCues(tuple(rows), None, skull_above=False))
    assert named.levels == levels


@pytest.mark.parametrize("offset", [0.0, 3.0, 6.0])
def test_a_column_that_ends_with_a_dens_begins_at_c2(offset):
    """As level numbers of necks are up to five too high."""
    levels = span(STANDARD, "C2", "C7")
    named = label_column(replace(column(levels, offset=offset), dens_above=True))
    assert named.levels == levels
    assert min(named.confidences) > 0.9
    assert "no_anchor" not in codes(named)


def test_bone_above_a_lumbar_vertebra_is_no_dens():
    levels = span(STANDARD, "L1", "L4")
    seen = column(levels)
    assert label_column(replace(seen, dens_above=True)) == label_column(seen)


def test_an_empty_column_has_no_names():
    assert label_column(ColumnCues((), None, skull_above=False)).levels == ()


noises = st.lists(
    st.tuples(*[st.floats(-1.5, 1.5, allow_nan=False)] * 2), min_size=24, max_size=24
).map(np.asarray)


@settings(max_examples=15, deadline=None)
@given(
    first=st.integers(3, 17),
    length=st.integers(5, 12),
    scale=st.floats(0.85, 1.15),
    offset=st.floats(-1.2, 1.2),
    noise=noises,
)
def test_wrong_names_never_come_with_high_confidence(first, length, scale, offset, noise):
    """Whatever the noise: names grow from head to foot, and above 0.9 they are right."""
    levels = STANDARD[first : first + length]
    assume(len(levels) == length)
    sacrum = levels[-1] is VertebraLevel.L5
    cues = column(levels, sacrum=sacrum, scale=scale, offset=offset, noise=noise[:length])
    named = label_column(cues)
    assert all(a.rank < b.rank for a, b in pairwise(named.levels))
    for truth, level, confidence in zip(levels, named.levels, named.confidences, strict=True):
        assert 0.0 <= confidence <= 1.0
        assert level is truth or confidence <= 0.9
    if sacrum:
        assert named.levels == levels
