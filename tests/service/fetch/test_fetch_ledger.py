"""What the ledger remembers, and how people are told apart without naming them."""

import sqlite3
from dataclasses import replace

import pytest

from service.fetch.ledger import FetchLedger, FetchState, LedgerEntry, LedgerStudy, was_asked_for
from service.fetch.person import Person, person_in

ENTRY = LedgerEntry("1.5", "1.2", FetchState.ASKED, announced=12)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "fetch" / "ledger.sqlite"


def test_what_was_entered_is_there_after_a_restart(path):
    ledger = FetchLedger(path)
    ledger.enter(ENTRY)
    done = replace(ENTRY, state=FetchState.ANALYSED, images=12, results="abc")
    ledger.enter(done)
    ledger.close()
    again = FetchLedger(path)
    assert again.find("1.5") == done
    assert again.series_of("1.2") == (done,)
    assert again.find("9.9") is None
    again.close()


def test_what_is_known_of_a_person_is_completed_and_not_forgotten(path):
    ledger = FetchLedger(path)
    ledger.enter_study(LedgerStudy("1.2", "A1", Person(group="benign", age="61")))
    ledger.enter_study(LedgerStudy("1.2", "", Person(age="62", sex="F")))
    (study,) = ledger.studies()
    assert study == LedgerStudy("1.2", "A1", Person("benign", "62", "F", ""))
    ledger.close()


def test_another_process_sees_what_was_asked_for_lately(path):
    assert not was_asked_for(path, "1.5")
    ledger = FetchLedger(path)
    ledger.enter(ENTRY)
    assert was_asked_for(path, "1.5")
    assert not was_asked_for(path, "1.6")
    ledger.close()
    assert was_asked_for(path, "1.5"), "also when the fetch has ended"
    with sqlite3.connect(path) as db:
        db.execute("UPDATE fetched_series SET updated_at = updated_at - 4000")
    assert not was_asked_for(path, "1.5")


def test_a_damaged_ledger_holds_up_nothing(path):
    path.parent.mkdir()
    path.write_bytes(b"this is no database" * 100)
    assert not was_asked_for(path, "1.5")


@pytest.fixture
def person(make_slice, tmp_path):
    def read(key, **elements):
        path = tmp_path / "slice.dcm"
        make_slice("1.2", "1.3", 0, **elements).save_as(path, enforce_file_format=True)
        return person_in(path, key)

    return read


def test_the_same_patient_has_the_same_pseudonym_within_one_ledger(person, path):
    ledger = FetchLedger(path)
    key = ledger.pseudonym_key()
    assert key == ledger.pseudonym_key()
    ledger.close()
    one = person(key)
    assert (one.age, one.sex, len(one.patient_id)) == ("61", "F", 16)
    assert person(key).patient_id == one.patient_id
    assert person(key, PatientID="HIS-4712").patient_id != one.patient_id
    assert person(key, IssuerOfPatientID="B").patient_id != one.patient_id
    assert person(b"another").patient_id != one.patient_id


@pytest.mark.parametrize(
    ("said", "years"), [("018M", "1.5"), ("052W", "0.997"), ("000D", "0"), ("", "")]
)
def test_ages_are_years(person, said, years):
    assert person(b"key", PatientAge=said).age == years


def test_a_file_that_cannot_be_read_says_nothing(tmp_path):
    path = tmp_path / "none.dcm"
    path.write_bytes(b"")
    assert person_in(path, b"key") == Person()
