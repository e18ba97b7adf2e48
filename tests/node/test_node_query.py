"""C-FIND against an archive with the habits of real ones."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.uid import generate_uid

from node import Destination, Permanent, Retryable
from node.query import MINUTES_PER_DAY, Answers, FoundStudy, StudyKeys, StudyWindow
from node.query_find import FindQuery
from node.query_windows import studies_in

DAY = date(2024, 3, 5)


@pytest.fixture
def query(query_archive):
    query = FindQuery(Destination("pacs", "PACS", "127.0.0.1", query_archive.port))
    yield query
    query.close()


@pytest.fixture
def add_study(query_archive, make_instance):
    def add(accession="A1", day="20240305", time="101500", modality="CT", images=1):
        study, series = generate_uid(), generate_uid()
        for _ in range(images):
            instance = make_instance(study, series)
            instance.AccessionNumber = accession
            instance.StudyDate, instance.StudyTime = day, time
            instance.Modality = modality
            instance.SeriesDescription = "Spine 1.0"
            instance.SeriesNumber = 2
            query_archive.add([instance])
        return study, series

    return add


def test_a_study_is_found_by_its_accession_number(query, add_study):
    study, _ = add_study("A1")
    add_study("A2")
    (found,) = query.studies(StudyKeys(AccessionNumber="A1")).items
    assert found == FoundStudy(study, "A1", "20240305", ("CT",), "")


@pytest.mark.parametrize(("asked", "other"), [("A*1", "ANOTHER1"), ("A?1", "AX1"), ("*", "B")])
def test_wildcards_in_an_accession_number_match_only_themselves(query, add_study, asked, other):
    study, _ = add_study(asked)
    add_study(other)
    found = query.studies(StudyKeys(AccessionNumber=asked)).items
    assert [each.StudyInstanceUID for each in found] == [study]


@pytest.mark.parametrize("number", ["A\\B", "A\nB", "A" * 65])
def test_an_accession_number_that_no_query_can_carry_is_refused(number):
    with pytest.raises(Permanent, match="accession number"):
        StudyKeys(AccessionNumber=number)


def test_an_archive_that_ignores_the_keys_does_not_mislead(query, add_study, query_archive):
    study, _ = add_study("A1")
    add_study("A2", day="20200101")
    query_archive._matching = lambda *_: query_archive.instances
    found = query.studies(StudyKeys(AccessionNumber="A1")).items
    assert [each.StudyInstanceUID for each in found] == [study]
    found = query.studies(StudyKeys(window=StudyWindow(DAY))).items
    assert [each.StudyInstanceUID for each in found] == [study]


def test_series_are_described_and_counted(query, add_study):
    study, series = add_study(images=3)
    (found,) = query.series(study).items
    assert (found.SeriesInstanceUID, found.images) == (series, 3)
    assert (found.SeriesDescription, found.SeriesNumber) == ("Spine 1.0", "2")
    assert query.count(study, series) == 3
    assert query.count(study, generate_uid()) is None
    assert len(query.instances(study, series).items) == 3


def test_one_association_serves_every_question_and_is_opened_again_when_it_ended(
    query, add_study, query_archive
):
    study, series = add_study()
    assert query.count(study, series) == 1
    query._association.abort()
    assert query.count(study, series) == 1


def test_no_attribute_of_the_patient_is_asked_for(query, add_study, query_archive):
    study, series = add_study()
    query.studies(StudyKeys())
    query.series(study)
    query.instances(study, series)
    assert len(query_archive.queries) == 3
    for asked in query_archive.queries:
        assert [element for element in asked if element.tag.group == 0x0010] == []


def test_an_archive_that_is_not_there_is_retryable(query, query_archive):
    query_archive.stop()
    with pytest.raises(Retryable, match="cannot be reached"):
        query.studies(StudyKeys())


@pytest.mark.parametrize("cut_status", [0x0000, 0xFE00, 0xA700])
def test_a_day_beyond_the_limit_of_the_archive_is_found_whole(
    query, add_study, query_archive, cut_status
):
    query_archive.limit, query_archive.cut_status = 50, cut_status
    made = {
        add_study(f"A{number}", time=f"{number % 14 + 7:02d}{number % 60:02d}59.5")[0]
        for number in range(130)
    }
    answers = studies_in(query, StudyKeys(), StudyWindow(DAY))
    assert {study.StudyInstanceUID for study in answers.items} == made
    assert answers.shortfall == ""


def test_a_cut_list_that_cannot_be_split_is_said(query, add_study, query_archive):
    query_archive.limit, query_archive.cut_status = 2, 0xFE00
    for number in range(5):
        add_study(f"A{number}", time="101500")
    answers = studies_in(query, StudyKeys(), StudyWindow(DAY))
    assert "ended its list after 2 answers (0xFE00)" in answers.shortfall


class _Minutes:
    """An archive of studies by minute that tells at most `limit` of them."""

    def __init__(self, minutes, limit, says_so):
        self.minutes, self.limit, self.says_so = minutes, limit, says_so

    def studies(self, keys):
        window = keys.window
        found = [
            FoundStudy(f"1.{number}")
            for number, minute in enumerate(self.minutes)
            if window.start <= minute <= window.end
        ]
        cut = len(found) > self.limit and self.says_so
        return Answers(tuple(found[: self.limit]), "cut" if cut else "")


@given(
    minutes=st.lists(st.integers(0, MINUTES_PER_DAY - 1), max_size=300),
    limit=st.sampled_from([50, 100, 250]),
    says_so=st.booleans(),
)
def test_nothing_is_lost_to_a_limit_or_it_is_said(minutes, limit, says_so):
    archive = _Minutes(minutes, limit, says_so)
    answers = studies_in(archive, StudyKeys(), StudyWindow(DAY))
    assert answers.shortfall or len(answers.items) == len(minutes)
    most = max((sum(first <= m <= first + 2 for m in minutes) for first in minutes), default=0)
    assert most >= limit or not answers.shortfall


class _Timeless(_Minutes):
    """Ignores the time of the day."""

    def studies(self, _keys):
        return super().studies(StudyKeys(window=StudyWindow(DAY)))


def test_an_archive_that_ignores_times_is_asked_no_further_and_named():
    answers = studies_in(_Timeless([600] * 120, 100, False), StudyKeys(), StudyWindow(DAY))
    assert answers.shortfall == (
        "the list may be cut: exactly 100 studies, and the archive does not search by time"
    )


def test_windows_share_their_border():
    first, second = StudyWindow(DAY).halves()
    assert (first.time_range_text(), second.time_range_text()) == ("-120000", "120000-")
    assert StudyWindow(DAY).time_range_text() == ""
    assert StudyWindow(DAY + timedelta(days=1)).date_text() == "20240306"
