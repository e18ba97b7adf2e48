"""Attempts, the ledger, and when a run gives up, on a road that fails as told."""

from __future__ import annotations

import pytest

from node import NotAcceptable, Permanent, Retryable
from node.query import FoundSeries
from service.exits import DONE, NOT_ANALYSABLE, UNREADABLE
from service.fetch.ledger import FetchLedger, FetchState
from service.fetch.pace import Pace, Pacer
from service.fetch.person import Person
from service.fetch.plan import Plan, PlannedStudy
from service.fetch.report import report_of
from service.fetch.transfer import Arrived, Transfer
from service.fetch.watch import Unwatched


class ScriptedRoad:
    """Answers each attempt with the next item of a series' script; afterwards everything works."""

    def __init__(self, **scripts):
        self.scripts = {uid: list(items) for uid, items in scripts.items()}
        self.attempts = []
        self.known = set()
        self.full = ""
        self.studies = []

    def already(self, series):
        return "there" if series.SeriesInstanceUID in self.known else ""

    def make_room(self, _watch):
        return self.full

    def fetch(self, series, _progress):
        uid = series.SeriesInstanceUID
        self.attempts.append(uid)
        if self.scripts.get(uid):
            raise self.scripts[uid].pop(0)
        return Arrived(12)

    def study_through(self, study):
        self.studies.append(study.StudyInstanceUID)


def planned(*uids):
    studies = [
        PlannedStudy(f"9.{uid}", "", Person(), (FoundSeries(f"9.{uid}", uid, images=12),))
        for uid in uids
    ]
    return Plan(studies)


@pytest.fixture
def ledger(tmp_path):
    ledger = FetchLedger(tmp_path / "ledger.sqlite")
    yield ledger
    ledger.close()


@pytest.fixture
def run(ledger):
    slept = []

    def run(road, plan):
        pacer = Pacer(Pace(), slept.append)
        return report_of("pacs", plan, Transfer(road, ledger, pacer, Unwatched()).run(plan), ledger)

    run.slept = slept
    return run


def states(report):
    return [each.state for each in report.series]


def test_everything_is_fetched_and_entered(run, ledger):
    report = run(ScriptedRoad(), planned("a", "b"))
    assert states(report) == [FetchState.FETCHED] * 2
    assert (ledger.find("a").images, ledger.find("a").announced) == (12, 12)
    assert report.exit_code() == DONE


def test_a_passing_failure_is_waited_out(run):
    road = ScriptedRoad(a=[Retryable("busy"), Retryable("busy")])
    report = run(road, planned("a"))
    assert states(report) == [FetchState.FETCHED]
    assert road.attempts == ["a"] * 3
    first, second = run.slept
    assert 1 <= first <= 2
    assert 6 <= second <= 12


def test_a_series_that_cannot_be_fetched_does_not_hold_up_the_others(run):
    road = ScriptedRoad(a=[Retryable("11 of 12 images arrived")] * 9, c=[Permanent("no")])
    report = run(road, planned("a", "b", "c", "d"))
    fetched, failed = FetchState.FETCHED, FetchState.FAILED
    assert states(report) == [failed, fetched, failed, fetched]
    assert road.attempts == ["a"] * 4 + ["b", "c", "d"]
    assert road.studies == ["9.a", "9.b", "9.c", "9.d"]
    assert next(iter(report.problems())) == "series a: 11 of 12 images arrived"
    assert report.exit_code() == UNREADABLE


def test_three_failures_in_a_row_are_the_archives(run):
    refused = [Permanent("pacs refuses us")]
    road = ScriptedRoad(a=refused, b=list(refused), c=[NotAcceptable(0xC000, "bad")])
    report = run(road, planned("a", "b", "c", "d"))
    assert road.attempts == ["a", "b", "c"]
    assert report.stopped == "stopped: 3 series in a row failed; the last: bad"
    assert states(report)[-1] is FetchState.ASKED
    assert report.exit_code() == UNREADABLE


def test_what_is_there_is_skipped_and_counts_as_fetched(run):
    road = ScriptedRoad()
    road.known = {"a"}
    report = run(road, planned("a", "b"))
    assert road.attempts == ["b"]
    assert [each.skipped for each in report.series] == [True, False]
    assert report.exit_code() == DONE


def test_no_room_ends_the_run_before_the_next_series(run):
    road = ScriptedRoad()
    road.full = "the disk is full"
    report = run(road, planned("a"))
    assert (road.attempts, report.stopped) == ([], "stopped: the disk is full")
    assert report.exit_code() == UNREADABLE


def test_nothing_to_fetch_is_not_success(run):
    assert run(ScriptedRoad(), Plan()).exit_code() == NOT_ANALYSABLE
    assert run(ScriptedRoad(), Plan(not_found=1)).exit_code() == UNREADABLE


def test_an_interruption_leaves_an_entry_that_asks_for_more(run, ledger):
    road = ScriptedRoad(b=[KeyboardInterrupt()])
    with pytest.raises(KeyboardInterrupt):
        run(road, planned("a", "b"))
    assert ledger.find("a").state is FetchState.FETCHED
    assert ledger.find("b").state is FetchState.ASKED
