"""Names of workers on a shared queue: who holds one, who may take it, and who trusts it."""

import os
import threading
import time

import psycopg
import pytest
from queue_program import Journal, steps_of
from waiting import wait_for

from service import lease as lease_module
from service import queue as queue_module
from service import tenancy
from service.lease import Lease
from service.queue import JobQueue
from service.tenancy import NotOurs, OwnQueue, SharedQueue

SECONDS = 1.2


@pytest.fixture
def make_lease(postgresql_url):
    made = []

    def make(name="worker", seconds=SECONDS):
        made.append(Lease(postgresql_url, name, seconds))
        return made[-1]

    yield make
    for lease in made:
        lease.release()


@pytest.fixture
def everybody_lives(monkeypatch):
    """As if the holders ran on other hosts, where nobody can see whether they do."""
    monkeypatch.setattr(lease_module, "_is_gone", lambda _: False)


def test_a_name_has_one_holder_and_the_next_waits_until_it_is_given_back(
    make_lease, everybody_lives
):
    first, second = make_lease(seconds=30), make_lease(seconds=30)
    first.acquire()
    waiting = threading.Thread(target=second.acquire, daemon=True)
    waiting.start()
    waiting.join(0.5)
    assert waiting.is_alive()
    assert not second.trusted()
    first.release()
    waiting.join(30)
    assert second.trusted()


def test_a_lease_that_is_not_renewed_runs_out(make_lease, everybody_lives):
    dead, other = make_lease(), make_lease("other")
    dead.acquire()
    assert other.alive() == {"worker"}
    assert not other.take_over("worker", lambda: None)
    wait_for(lambda: not dead.trusted())
    assert other.alive() == {"worker"}, "others must not think it dead before it knows itself"
    wait_for(lambda: other.alive() == frozenset())
    recovered = []
    assert other.take_over("worker", lambda: recovered.append("jobs"))
    assert recovered == ["jobs"]


def test_the_name_of_a_process_of_this_host_that_is_gone_is_free_at_once(
    make_lease, postgresql_url
):
    make_lease(seconds=600).acquire()
    no_process = 2**22 + 1
    with psycopg.connect(postgresql_url) as connection:
        connection.execute("UPDATE worker SET pid=%s", (no_process,))
    second = make_lease(seconds=600)
    second.acquire()
    assert second.trusted()


def test_a_kept_lease_outlives_its_length(make_lease, everybody_lives):
    lease, lost, beats = make_lease(), [], []
    lease.acquire()
    lease.keep(lambda: beats.append(1), lambda: lost.append(1))
    wait_for(lambda: len(beats) >= 9)  # six beats are one length
    assert lease.trusted()
    assert lost == []


def test_a_worker_cut_off_from_the_database_is_told(make_lease, everybody_lives, monkeypatch):
    lease, lost = make_lease(), []
    lease.acquire()
    monkeypatch.setattr(lease, "_renew", lambda: False)
    lease.keep(lambda: None, lambda: lost.append(1))
    wait_for(lambda: bool(lost))
    assert not lease.trusted()


def test_a_worker_cut_off_in_the_middle_of_a_step_ends_its_process(
    postgresql_url, everybody_lives, monkeypatch
):
    ended = []
    monkeypatch.setattr(os, "_exit", ended.append)
    queue = SharedQueue(postgresql_url, "worker", SECONDS)
    queue.begin()
    with queue.working_on("job1"):
        assert ended == []
        queue._lost()
    assert ended == [os.EX_TEMPFAIL]
    queue._lost()
    assert ended == [os.EX_TEMPFAIL], "without a step in progress there is nothing to stop"
    queue.end()


def test_nothing_begins_while_stopping_and_what_runs_is_awaited():
    queue = OwnQueue()
    inside, go = threading.Event(), threading.Event()

    def step():
        with queue.working_on("job1"):
            inside.set()
            go.wait(30)

    thread = threading.Thread(target=step)
    thread.start()
    assert inside.wait(30)
    assert not queue.drain(0.05)
    with pytest.raises(NotOurs), queue.working_on("job2"):
        pass
    go.set()
    assert queue.drain(30)
    thread.join()


@pytest.fixture
def shared_queue(postgresql_url):
    queue = SharedQueue(postgresql_url, "worker", SECONDS)
    queue.begin()
    yield queue
    queue.end()


def test_a_start_that_fails_gives_the_name_back(make_lease, postgresql_url, tmp_path, monkeypatch):
    def fail(*_):
        raise OSError("broken")

    monkeypatch.setattr(queue_module, "adopt_jobs", fail)
    steps = steps_of(Journal(tmp_path), tmp_path, {})
    queue = JobQueue(postgresql_url, steps, 1, "worker", lease_seconds=600)
    with pytest.raises(OSError, match="broken"):
        queue.start()
    assert make_lease("other", seconds=600).alive() == frozenset()
    queue.stop()


class LibraryThatIsAsked:
    """In place of the queue's library: shows when it is asked, and answers when told."""

    def __init__(self):
        self.asked, self.answer = threading.Event(), threading.Event()
        self.times = 0

    def list_workflows(self, **_):
        self.times += 1
        self.asked.set()
        assert self.answer.wait(30)
        return []


def test_a_start_that_outlasts_the_lease_keeps_the_name_and_leaves_the_others_alone(
    shared_queue, make_lease, everybody_lives, monkeypatch
):
    library, other = LibraryThatIsAsked(), make_lease("other")
    monkeypatch.setattr(tenancy, "DBOS", library)
    acquired_at = time.monotonic()
    wait_for(lambda: time.monotonic() > acquired_at + 2 * SECONDS)
    assert other.alive() == {"worker"}
    with shared_queue.working_on("job1"):
        pass
    assert not library.asked.is_set()
    library.answer.set()
    shared_queue.take_part()
    assert library.asked.wait(30)


def test_stopping_waits_for_a_look_for_others_and_allows_no_further_one(shared_queue, monkeypatch):
    library = LibraryThatIsAsked()
    monkeypatch.setattr(tenancy, "DBOS", library)
    shared_queue.take_part()
    assert library.asked.wait(30)
    drained = threading.Event()
    stopping = threading.Thread(target=lambda: shared_queue.drain(0.0) and drained.set())
    stopping.start()
    wait_for(lambda: shared_queue._stopping)
    assert not drained.wait(0.3)
    library.answer.set()
    stopping.join(30)
    assert drained.is_set()
    shared_queue._look_after_others()
    assert library.times == 1


def test_a_look_that_hangs_does_not_keep_the_process_from_stopping(shared_queue, monkeypatch):
    library = LibraryThatIsAsked()
    monkeypatch.setattr(tenancy, "DBOS", library)
    monkeypatch.setattr(tenancy, "_LOOK_SECONDS", 0.05)
    shared_queue.take_part()
    assert library.asked.wait(30)
    assert shared_queue.drain(0.0)
    library.answer.set()


def test_the_lease_is_renewed_even_if_looking_for_others_fails(
    shared_queue, everybody_lives, monkeypatch, caplog
):
    class BrokenLibrary:
        times = 0

        def list_workflows(self, **_):
            self.times += 1
            raise RuntimeError("no such patient 4711")

    library = BrokenLibrary()
    monkeypatch.setattr(tenancy, "DBOS", library)
    shared_queue.take_part()
    wait_for(lambda: library.times >= 9)  # six beats are one length
    with shared_queue.working_on("job1"):
        pass
    assert {record.problem for record in caplog.records} == {"RuntimeError"}
    assert "4711" not in caplog.text
