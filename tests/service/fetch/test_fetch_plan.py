"""Which series are asked for, and why others are not."""

from __future__ import annotations

from datetime import date

import pytest

from node import Destination
from node.query import FoundSeries
from node.query_find import FindQuery
from service.config import RulesConfig
from service.fetch.asked import asked_for
from service.fetch.candidates import Filters
from service.fetch.plan import Planner
from service.fetch.watch import Unwatched

FIRST = date(2025, 3, 1)


@pytest.fixture
def plan(query_archive):
    query = FindQuery(Destination("pacs", "PACS", "127.0.0.1", query_archive.port))

    def ask(*accessions, days=(), **filters):
        asked = asked_for(list(accessions), [], None, days, "")
        return Planner(query, Filters(**filters), Unwatched()).plan(asked)

    yield ask
    query.close()


def series_of(plan):
    return [series.SeriesInstanceUID for _, series in plan.series]


@pytest.mark.parametrize(
    ("found", "rules", "why"),
    [
        ({}, {}, ""),
        ({"SeriesDescription": "Topogram 0.6"}, {}, "no volume by its description ('topogram')"),
        ({"SeriesDescription": "Dosisbericht"}, {}, "dosisbericht"),
        ({"Modality": "SR"}, {}, "Modality SR"),
        ({"BodyPartExamined": "HEAD"}, {}, "BodyPartExamined HEAD"),
        ({"BodyPartExamined": "ABDOMEN"}, {}, ""),
        ({"BodyPartExamined": "CHEST"}, {}, ""),
        ({"images": 0}, {}, "no images"),
        ({"SeriesDescription": "Lung"}, {"exclude_description": ("lung",)}, "'lung'"),
        ({"SeriesDescription": "Lung"}, {"include_description": ("spine",)}, "fits nothing in"),
    ],
)
def test_rules_hold_before_the_transfer_as_far_as_the_archive_can_tell(found, rules, why):
    series = FoundSeries("1.2", "1.3", **{"Modality": "CT", "images": 100, **found})
    reason = Filters(RulesConfig(**rules)).series_left_out(series)
    assert why in reason
    assert bool(why) == bool(reason)


def test_descriptions_narrow_studies_and_series(plan, holdings):
    wanted = holdings.add(10, AccessionNumber="A1")
    holdings.add(10, study=wanted[0], SeriesDescription="Lung 1.0", AccessionNumber="A1")
    holdings.add(10, StudyDescription="CT Head", AccessionNumber="A1")
    found = plan("A1", descriptions=("spine",), study_descriptions=("*spine",))
    assert series_of(found) == [wanted[1]]
    assert {left.reason for left in found.left_out} == {
        "the description fits nothing in --description",
        "the study description fits no --study-description",
    }


def test_short_series_are_left_out_unless_one_image_is_a_volume(plan, holdings):
    enhanced = "1.2.840.10008.5.1.4.1.1.2.1"
    holdings.add(3, AccessionNumber="A1")
    volume = holdings.add(1, AccessionNumber="A1", SOPClassUID=enhanced)
    found = plan("A1")
    assert series_of(found) == [volume[1]]
    assert [left.reason for left in found.left_out] == ["3 images, rules.min_instances is 8"]


def test_days_bring_their_studies_and_no_study_comes_twice(plan, holdings):
    one = holdings.add(10, AccessionNumber="A1")
    other = holdings.add(10, StudyDate="20250302", AccessionNumber="A2")
    holdings.add(10, StudyDate="20250303", AccessionNumber="A3")
    found = plan("A1", days=(FIRST, date(2025, 3, 2)))
    assert sorted(series_of(found)) == sorted([one[1], other[1]])
    numbers = {study.StudyInstanceUID: study.accession_number for study in found.studies}
    assert numbers == {one[0]: "A1", other[0]: ""}, "only what was asked for by it is kept"


def test_a_study_that_is_not_there_is_named_by_its_place(plan, holdings):
    holdings.add(10, AccessionNumber="A1")
    found = plan("A1", "SECRET9")
    assert found.warnings == ["accession number 2 of 2: the archive has no such study"]
    assert found.not_found == 1
