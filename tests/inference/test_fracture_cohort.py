"""The fixed cohorts of phantom patients, and how their fractures are counted."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

import pytest

from benchmarks.fracture import Tally
from benchmarks.phantom_cohort import Examined, Patient, examine, patients
from inference.report import FractureFinding


@pytest.fixture(scope="module")
def fractured() -> tuple[Patient, Examined]:
    """A patient with a deep fracture in thin slices, measured with true masks."""
    patient = next(
        p
        for p in patients(60, 20)
        if any(f.loss > 0.45 for f in p.spec.fractures) and p.slice_mm <= 1.25
    )
    return patient, examine(patient)


def test_a_longer_cohort_begins_with_the_shorter_one() -> None:
    short, long = list(patients(3, 20)), list(islice(patients(9, 20), 3))
    assert [p.spec for p in short] == [p.spec for p in long]


def test_a_cohort_holds_every_type_orientation_and_slice_thickness() -> None:
    cohort = list(patients(21, 20))
    assert {f.type for p in cohort for f in p.spec.fractures} == {"wedge", "biconcave", "crush"}
    assert {p.spec.orientation for p in cohort} == {"axial", "sagittal", "coronal"}
    assert {p.slice_mm for p in cohort} == {0.7, 1.0, 1.25, 2.0, 3.0, 4.0, 5.0}


def test_hits_misses_and_false_flags_are_counted_per_fracture_and_per_patient(
    fractured: tuple[Patient, Examined],
) -> None:
    """One deep fracture found; then the same patient with that flag taken away and one added."""
    patient, examined = fractured
    tally = Tally()
    tally.add(patient, examined)
    true = {level for level, row in examined.known.items() if row["fractured"]}
    assert (sum(tally.found), len(tally.found)) == (len(true), len(true))
    assert tally.false_positives == [0]
    turned = {
        level: replace(m, fracture=turned_round(m.fracture))
        for level, m in examined.measured.items()
    }
    tally.add(patient, Examined(examined.known, turned))
    assert (sum(tally.found), len(tally.found)) == (len(true), 2 * len(true))
    assert tally.false_positives[1] == tally.sound / 2 > 0


def test_a_fracture_on_a_body_that_was_not_found_is_missed(
    fractured: tuple[Patient, Examined],
) -> None:
    patient, examined = fractured
    tally = Tally()
    tally.add(patient, Examined(examined.known, {}))
    assert tally.found
    assert not any(tally.found)
    assert tally.false_positives == [0]


def turned_round(finding: FractureFinding | None) -> FractureFinding | None:
    return None if finding is None else replace(finding, grade=0 if finding.grade else 1)
