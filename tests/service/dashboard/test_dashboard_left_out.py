"""The page of series that came and were not analysed, and analysing one all the same."""

from __future__ import annotations

import pytest

from service.request import REQUEST_FILE
from service.series_facts import SeriesFacts
from service.series_register import (
    RegisteredSeries,
    SeriesRegister,
    SeriesState,
    register_location,
)

LEFT_OUT = RegisteredSeries(
    SeriesInstanceUID="1.2.3.4",
    StudyInstanceUID="1.2",
    job_id="a1",
    state=SeriesState.LEFT_OUT,
    calling_ae_title="CT1",
    facts=SeriesFacts(images=3, Modality="CT", kernel="B70f", thickness_mm=1.25),
    rule="min_instances",
    reason="3 images, rules.min_instances is 8",
    updated_at=1.7e9,
)


@pytest.fixture
def left_out(make_pages, users):
    """Pages of a node that left one series out and has its images noted down."""
    pages = make_pages(users)
    register = SeriesRegister(register_location(pages.config.database_url))
    register.enter(LEFT_OUT)
    (pages.folder("a1") / REQUEST_FILE).write_text("{}")
    pages.left_out.append(LEFT_OUT)
    return pages


def test_series_left_out_are_listed_with_the_rule_and_the_reason(left_out):
    text = left_out.logged_in("vera").html("/left-out").text
    for words in ("3 images, rules.min_instances is 8", "1.2.3.4", "CT1", "CT, 1.25 mm, B70f"):
        assert words in text
    assert ">a1</td>" in text, "what spinenode jobs retry asks for"


def test_a_page_without_series_says_that_nothing_was_left_out(make_pages):
    assert "Nothing was left out." in make_pages().browser().html("/left-out").text


def test_an_operator_has_a_series_analysed_all_the_same(left_out):
    browser = left_out.logged_in("otto")
    assert 'id="analyse-a1"' in browser.html("/left-out").text
    answer = browser.submit("/jobs/a1/retry", page="/left-out")
    assert (answer.status, answer.headers["location"]) == (303, "/jobs/a1?done=retry")
    assert left_out.jobs.get("a1").state == "queued"
    assert ("action", "otto", "a1", "retry") in left_out.auditor.events
    left_out.left_out.clear()
    assert "Queued." in browser.html("/jobs/a1?done=retry").text


def test_a_viewer_has_no_button_and_no_way_around_it(left_out):
    browser = left_out.logged_in("vera")
    assert 'id="analyse-a1"' not in browser.html("/left-out").text
    assert browser.submit("/jobs/a1/retry", page="/left-out").status == 403
    assert left_out.jobs.get("a1").state == "left_out"


def test_a_series_whose_images_are_gone_is_said_to_be(left_out):
    (left_out.folder("a1") / REQUEST_FILE).unlink()
    answer = left_out.logged_in("otto").submit("/jobs/a1/retry", page="/left-out")
    assert answer.status == 409
    assert "images are not noted down here" in answer.text
    assert left_out.jobs.get("a1").state == "left_out"


def test_a_series_that_never_came_is_not_found(left_out):
    browser = left_out.logged_in("otto")
    assert browser.submit("/jobs/b2/retry", page="/left-out").status == 404
