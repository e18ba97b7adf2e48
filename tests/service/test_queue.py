"""The queue on SQLite and on PostgreSQL; what is killed runs in a process of its own."""

import json
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import queue_program
from queue_program import Journal, work

from service.errors import UsageError
from service.jobs import Jobs


class Queue:
    """One queue on one database: every behaviour here holds on both kinds."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.url = url

    def work(self, **plan):
        """Submit `job1`, unless the plan says otherwise, and work until all has ended."""
        work(self.folder, self.url, {"submit": ["job1"], **plan})

    def work_in_a_process(self, **plan) -> int:
        """The same in another process; its exit code."""
        plan = {"submit": ["job1"], **plan}
        program = [sys.executable, queue_program.__file__, self.folder, self.url, json.dumps(plan)]
        return subprocess.run(program, timeout=120, check=False).returncode

    def lines(self) -> list[str]:
        return Journal(self.folder).lines()

    def jobs(self) -> Jobs:
        return Jobs(self.url, self.folder)

    def seen(self, job="job1"):
        with self.jobs() as jobs:
            return jobs.get(job)


@pytest.fixture(params=["sqlite", "postgresql"])
def queue(request, tmp_path):
    if request.param == "postgresql":
        return Queue(tmp_path, request.getfixturevalue("postgresql_url"))
    return Queue(tmp_path, f"sqlite:///{tmp_path / 'queue.sqlite'}")


def test_steps_run_in_order_and_then_the_delivery(queue):
    queue.work()
    assert queue.lines() == [
        "job1 assemble",
        "job1 segment",
        "job1 write",
        "job1 send pacs",
        "job1 arrived pacs",
    ]


def test_submitting_a_job_again_changes_nothing(queue):
    queue.work(submit=["job1", "job1"])
    queue.work(submit=["job1", "job2"])
    assert queue.lines().count("job1 segment") == 1
    assert queue.lines().count("job2 segment") == 1


def test_urgent_jobs_go_first_and_backfill_last(queue):
    queue.work(
        submit=["first", "backfill", "routine", "later", "stat"],
        priorities={"stat": 1, "backfill": 100},
        wait_in="first",
    )
    begun = [line.split()[0] for line in queue.lines() if line.endswith("assemble")]
    assert begun == ["first", "stat", "routine", "later", "backfill"]


@pytest.mark.parametrize("step", ["assemble", "segment", "write", "send"])
def test_killed_at_a_step_the_job_resumes_there_and_finishes_once(queue, step):
    assert queue.work_in_a_process(kill_at=step) == 9
    queue.work(submit=[])
    lines = queue.lines()
    assert lines.count(f"job1 {step}" if step != "send" else "job1 send pacs") == 2
    assert lines.count("job1 arrived pacs") == 1
    done_before = ["assemble", "segment", "write"]
    for name in done_before[: done_before.index(step) if step in done_before else 3]:
        assert lines.count(f"job1 {name}") == 1


def test_an_archive_that_is_down_is_tried_again_until_it_answers(queue):
    queue.work(failures=3)
    assert queue.lines().count("job1 send pacs") == 4
    (delivery,) = queue.seen().deliveries
    assert (delivery.state, delivery.attempts) == ("delivered", 4)


def test_a_clock_set_back_does_not_hold_up_the_next_attempt(queue, monkeypatch):
    days_ahead = [3]

    def clock():
        return time.time() + 86_400 * (days_ahead.pop() if days_ahead else 0)

    monkeypatch.setattr("service.queue.time", SimpleNamespace(time=clock))
    queue.work(failures=1)
    assert not days_ahead
    assert queue.lines().count("job1 send pacs") == 2


def test_a_dead_letter_is_shown_with_its_problem_and_delivered_on_retry(queue):
    queue.work(failures=2, attempts=2)
    (delivery,) = queue.seen().deliveries
    assert (delivery.state, delivery.problem) == ("failed", "archive down")
    with queue.jobs() as jobs:
        assert "pacs" in jobs.retry("job1")
    queue.work(submit=[])
    assert queue.lines().count("job1 arrived pacs") == 1
    assert queue.lines().count("job1 segment") == 1
    (delivery,) = queue.seen().deliveries
    assert delivery.state == "delivered"


def test_a_failed_job_is_shown_with_its_error_and_runs_again_on_retry(queue):
    queue.work(fail_at="segment")
    view = queue.seen()
    assert view.state == "failed"
    assert "broken step" in view.problem
    with queue.jobs() as jobs:
        jobs.retry("job1")
    queue.work(submit=[])
    assert queue.seen().state == "analysed"


def test_one_archive_being_down_does_not_hold_up_the_next_job(queue):
    both = ["job1 send pacs", "job2 write"]
    queue.work(submit=["job1", "job2"], failures=10**6, attempts=10**6, until=both)
    assert "job1 send pacs" in queue.lines()
    assert "job1 arrived pacs" not in queue.lines()


def test_stopping_does_not_wait_for_deliveries_between_two_attempts(queue):
    started = time.monotonic()
    queue.work(failures=1, backoff=300, until=["job1 send pacs"])
    assert time.monotonic() - started < 60
    assert queue.seen().state == "analysed"
    assert queue.seen().deliveries[0].state in ("retrying", "running")


def test_a_delivery_that_was_overtaken_by_a_later_job_ends_as_superseded(queue):
    queue.work(superseded=True)
    (delivery,) = queue.seen().deliveries
    assert delivery.state == "superseded"
    with queue.jobs() as jobs, pytest.raises(UsageError, match="nothing to retry"):
        jobs.retry("job1")


def test_not_analysable_is_an_outcome_not_a_failure(queue):
    queue.work(outcome="not_analysable")
    assert queue.seen().state == "not_analysable"


def test_a_finished_job_cannot_be_retried_or_cancelled(queue):
    queue.work()
    with queue.jobs() as jobs:
        with pytest.raises(UsageError, match="nothing to retry"):
            jobs.retry("job1")
        with pytest.raises(UsageError, match="nothing to cancel"):
            jobs.cancel("job1")
        with pytest.raises(UsageError, match="no job 'other'"):
            jobs.get("other")
