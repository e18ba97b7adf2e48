"""When a study is decided, and what becomes of its series in whatever order they come."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.config import RulesConfig
from service.jobs import Jobs
from service.priority import STAT_PRIORITY
from service.request import Request
from service.second_choice import SecondChoice
from service.series_facts import SeriesFacts
from service.series_register import RegisteredSeries, SeriesRegister, SeriesState
from service.study_desk import StudyDesk
from service.submission import Submission
from service.tables import jobs_table
from service.workspace import Workspace

STUDY = "1.2.3"
FACTS = SeriesFacts(images=100, thickness_mm=1.0, orientation="axial", from_z_mm=0, to_z_mm=300)


class FakeQueue:
    def __init__(self):
        self.waiting = []
        self.begun = []

    def submit(self, job_id, priority):
        del priority
        if job_id not in self.begun and job_id not in self.waiting:
            self.waiting.append(job_id)

    def withdraw(self, job_id):
        if job_id not in self.waiting:
            return False
        self.waiting.remove(job_id)
        return True

    def begin_all(self):
        self.begun += self.waiting
        self.waiting = []


class Study:
    """A desk with a register, a queue and a clock that stands still until it is moved."""

    def __init__(self, folder, location, **rules):
        self.folder = folder
        self.queue = FakeQueue()
        self.location = location
        self.now = 0.0
        self.arriving = False
        self.left_out = []
        self.rules = RulesConfig(**rules)
        self.open()

    def open(self):
        self.register = SeriesRegister(self.location)
        self.submission = Submission(self.folder, self.queue, self.register)
        self.desk = StudyDesk(
            self.register,
            self.submission,
            self.rules,
            lambda _: self.arriving,
            self.left_out.append,
            lambda: self.now,
        )

    def arrives(self, uid, **facts):
        entry = RegisteredSeries(
            SeriesInstanceUID=uid,
            StudyInstanceUID=STUDY,
            job_id=f"job{uid}",
            state=SeriesState.WAITING,
            calling_ae_title="CT",
            facts=replace(FACTS, **facts),
        )
        workspace = Workspace(self.folder / entry.job_id)
        workspace.put_request(Request(entry.job_id, (), "2026-01-01"))
        self.register.enter(entry)
        self.desk.entered(entry)

    def after(self, seconds):
        self.now += seconds
        self.desk.decide_due()

    def states(self):
        return {s.SeriesInstanceUID: s.state.value for s in self.register.of_study(STUDY)}


@pytest.fixture(params=["sqlite", "postgresql"])
def location(request, tmp_path):
    if request.param == "postgresql":
        return request.getfixturevalue("postgresql_url")
    return tmp_path / "register.sqlite"


def test_a_study_is_decided_when_it_has_come_to_rest(tmp_path, location):
    study = Study(tmp_path, location)
    study.arrives("1", thickness_mm=5.0)
    study.after(19)
    study.arrives("2")
    study.after(19)
    assert study.queue.waiting == []
    study.after(1)
    assert study.queue.waiting == ["job2"]
    assert study.states() == {"1": "left_out", "2": "chosen"}
    (out,) = study.register.left_out()
    assert out.rule == "best_of"
    assert "series 2 of this study suits better: thickness: 1.0 mm slices before 5.0" in out.reason
    assert study.left_out == ["best_of"]
    choice = Workspace(tmp_path / "job2").request().choice
    assert choice == "chosen before series 1 (thickness: 1.0 mm slices before 5.0 mm slices)"


def test_the_list_of_jobs_says_how_many_series_wait_for_their_study(tmp_path):
    """Between the last image and the decision there is no job yet, but nothing is lost either."""
    study = Study(tmp_path, tmp_path / "register.sqlite")
    study.arrives("1")
    with Jobs(f"sqlite:///{tmp_path / 'queue.sqlite'}", tmp_path) as jobs:
        said = jobs_table(jobs.recent(), jobs.waiting())
        assert said == "no jobs\n\ncomplete series that wait for the rest of their study: 1"
        study.after(20)
        assert jobs_table(jobs.recent(), jobs.waiting()) == "no jobs"


def test_series_still_arriving_are_awaited_but_not_for_ever(tmp_path, location):
    study = Study(tmp_path, location, study_max_wait_seconds=100)
    study.arrives("1")
    study.arriving = True
    study.after(99)
    assert study.queue.waiting == []
    study.after(1)
    assert study.queue.waiting == ["job1"]


def test_a_study_that_never_rests_is_decided_in_time(tmp_path, location):
    study = Study(tmp_path, location, study_max_wait_seconds=50)
    for uid in "123456":
        study.arrives(uid)
        study.after(10)
    assert study.queue.waiting == ["job1"]
    assert "chosen" in study.states().values()


def test_a_better_series_that_comes_later_replaces_one_not_begun(tmp_path, location):
    study = Study(tmp_path, location)
    study.arrives("1", thickness_mm=5.0)
    study.after(20)
    study.arrives("2")
    study.after(20)
    assert study.queue.waiting == ["job2"]
    assert study.states() == {"1": "left_out", "2": "chosen"}


def test_a_better_series_that_comes_after_the_first_began_is_analysed_as_well(tmp_path, location):
    study = Study(tmp_path, location)
    study.arrives("1", thickness_mm=5.0)
    study.after(20)
    study.queue.begin_all()
    study.arrives("2")
    study.after(20)
    assert study.queue.waiting == ["job2"]
    assert study.states() == {"1": "chosen", "2": "chosen"}


def test_a_worse_series_that_comes_later_is_left_out(tmp_path, location):
    study = Study(tmp_path, location)
    study.arrives("1")
    study.after(20)
    study.arrives("2", thickness_mm=5.0)
    study.after(20)
    assert study.queue.waiting == ["job1"]
    assert study.states() == {"1": "chosen", "2": "left_out"}


def test_an_urgent_series_does_not_wait_for_its_study(tmp_path, location):
    study = Study(tmp_path, location)
    study.arrives("1", priority=STAT_PRIORITY)
    assert study.queue.waiting == ["job1"]


def test_every_series_is_analysed_where_the_site_wants_all(tmp_path, location):
    study = Study(tmp_path, location, best_of="none")
    study.arrives("1")
    study.arrives("2")
    assert study.queue.waiting == ["job1", "job2"]


def test_what_waits_is_decided_after_a_restart(tmp_path, location):
    study = Study(tmp_path, location)
    study.arrives("1")
    study.register.close()
    study.open()
    study.desk.take_up()
    study.after(20)
    assert study.queue.waiting == ["job1"]


def test_a_decision_cut_short_is_made_again(tmp_path, location, monkeypatch):
    """A kill after the queue took the job and before the register says so."""
    study = Study(tmp_path, location)
    study.arrives("1")
    with monkeypatch.context() as broken:
        broken.setattr(study.register, "enter", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            study.after(20)
    study.open()
    study.desk.take_up()
    study.after(20)
    assert study.queue.waiting == ["job1"]
    assert study.states() == {"1": "chosen"}
    assert Workspace(tmp_path / "job1").request().supersedes == ()


@settings(max_examples=30, deadline=None)
@given(st.permutations(range(4)), st.sets(st.integers(0, 3)), st.booleans())
def test_the_best_is_always_analysed_and_no_series_is_forgotten(
    tmp_path_factory, order, pauses, begins
):
    """Series of growing thickness, in any order, with decisions in between."""
    folder = tmp_path_factory.mktemp("study")
    study = Study(folder, Path(":memory:"))
    for number in order:
        study.arrives(str(number), thickness_mm=1.0 + 1.2 * number)
        if number in pauses:
            study.after(20)
            if begins:
                study.queue.begin_all()
    study.after(20)
    states = study.states()
    study.register.close()
    assert states["0"] == "chosen"
    assert set(states.values()) <= {"chosen", "left_out"}
    done = {*study.queue.begun, *study.queue.waiting}
    assert done == {f"job{uid}" for uid, state in states.items() if state == "chosen"}


def second_choice(study, outcome):
    return SecondChoice(lambda _: outcome, study.register, study.folder)


def put_series_of(study, uid):
    workspace = Workspace(study.folder / f"job{uid}")
    workspace.put_request(replace(workspace.request(), SeriesInstanceUID=uid))


def test_the_next_best_has_its_turn_when_the_best_is_not_analysable(tmp_path, location):
    study = Study(tmp_path, location)
    for uid, thickness in (("1", 1.0), ("2", 3.0), ("3", 5.0)):
        study.arrives(uid, thickness_mm=thickness)
        put_series_of(study, uid)
    study.arrives("neck", from_z_mm=900, to_z_mm=1100)
    study.after(20)
    study.queue.begin_all()
    assert second_choice(study, "not_analysable").finish("job1") == "not_analysable"
    study.desk.take_up()
    study.after(20)
    assert study.queue.waiting == ["job2"]
    states = {"1": "not_analysable", "2": "chosen", "3": "left_out", "neck": "chosen"}
    assert study.states() == states
    second_choice(study, "not_analysable").finish("job1")
    assert study.states() == states, "a step that is run again changes nothing"


def test_nothing_is_reconsidered_when_the_best_was_analysed(tmp_path, location):
    study = Study(tmp_path, location)
    for uid, thickness in (("1", 1.0), ("2", 3.0)):
        study.arrives(uid, thickness_mm=thickness)
        put_series_of(study, uid)
    study.after(20)
    second_choice(study, "analysed").finish("job1")
    assert study.states() == {"1": "chosen", "2": "left_out"}
    assert study.register.waiting() == ()


def test_a_series_withdrawn_for_a_better_one_can_still_have_its_turn(tmp_path, location):
    study = Study(tmp_path, location)
    for uid, thickness in (("1", 3.0), ("2", 1.0)):
        study.arrives(uid, thickness_mm=thickness)
        put_series_of(study, uid)
        study.after(20)
    assert study.queue.waiting == ["job2"]
    study.queue.begin_all()
    second_choice(study, "not_analysable").finish("job2")
    study.desk.take_up()
    study.after(20)
    assert study.queue.waiting == ["job1"]
