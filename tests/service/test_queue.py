"""The queue on a real SQLite file, in processes of its own that are really killed."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from service.errors import UsageError
from service.jobs import Jobs

PROGRAM = """
import json, os, sys, time
from pathlib import Path
from service.errors import RetryableError
from service.queue import JobQueue, Steps

folder, plan = Path(sys.argv[1]), json.loads(sys.argv[2])
journal = folder / "journal"

def note(text):
    with journal.open("a") as stream:
        stream.write(text + "\\n")

def run_step(job, step):
    note(f"{job} {step}")
    if step == plan.get("kill_at"):
        os._exit(9)
    if step == plan.get("fail_at"):
        raise ValueError("broken step")

def deliver(job, destination):
    note(f"{job} send {destination}")
    if plan.get("kill_at") == "send":
        os._exit(9)
    tries = sum(line == f"{job} send {destination}" for line in journal.read_text().splitlines())
    if tries <= plan.get("failures", 0):
        raise RetryableError("archive down")
    note(f"{job} arrived {destination}")
    return ""

steps = Steps(
    analysis_steps=("assemble", "segment", "write"),
    run_step=run_step,
    finish=lambda job: plan.get("outcome", "analysed"),
    destinations=lambda job: plan.get("destinations", ["pacs"]),
    deliver=deliver,
    backoff_seconds=lambda n: 0.05 if n < plan.get("attempts", 5) else None,
)
queue = JobQueue(f"sqlite:///{folder / 'queue.sqlite'}", steps, workers=1)
queue.start()
for job in plan["submit"]:
    queue.submit(job)
deadline = time.monotonic() + 60
while time.monotonic() < deadline and plan["until"] not in (
    journal.read_text() if journal.exists() else ""
) and not (folder / "stop").exists():
    time.sleep(0.05)
if plan.get("linger"):
    time.sleep(plan["linger"])
queue.stop(5)
"""


@pytest.fixture
def folder(tmp_path):
    return tmp_path


def run(folder: Path, **plan):
    plan = {"submit": ["job1"], "until": "arrived", **plan}
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, str(folder), json.dumps(plan)],
        timeout=120,
        check=False,
        capture_output=True,
    ).returncode


def journal(folder: Path) -> list[str]:
    return (folder / "journal").read_text().splitlines()


def seen(folder: Path, job: str = "job1"):
    with Jobs(f"sqlite:///{folder / 'queue.sqlite'}", folder) as jobs:
        return jobs.get(job)


def test_steps_run_in_order_and_then_the_delivery(folder):
    assert run(folder) == 0
    assert journal(folder) == [
        "job1 assemble",
        "job1 segment",
        "job1 write",
        "job1 send pacs",
        "job1 arrived pacs",
    ]


def test_submitting_a_job_again_changes_nothing(folder):
    run(folder, submit=["job1", "job1"])
    run(folder, submit=["job1", "job2"], until="job2 arrived")
    assert journal(folder).count("job1 segment") == 1


@pytest.mark.parametrize("step", ["assemble", "segment", "write", "send"])
def test_killed_at_a_step_the_job_resumes_there_and_finishes_once(folder, step):
    assert run(folder, kill_at=step) == 9
    assert run(folder, submit=[]) == 0
    lines = journal(folder)
    assert lines.count(f"job1 {step}" if step != "send" else "job1 send pacs") == 2
    assert lines.count("job1 arrived pacs") == 1
    done_before = ["assemble", "segment", "write"]
    for name in done_before[: done_before.index(step) if step in done_before else 3]:
        assert lines.count(f"job1 {name}") == 1


def test_an_archive_that_is_down_is_tried_again_until_it_answers(folder):
    run(folder, failures=3)
    assert journal(folder).count("job1 send pacs") == 4
    (delivery,) = seen(folder).deliveries
    assert (delivery.state, delivery.attempts) == ("delivered", 4)


def test_a_dead_letter_is_shown_with_its_problem_and_delivered_on_retry(folder):
    run(folder, failures=2, attempts=2, until="send pacs\njob1 send pacs", linger=2)
    (delivery,) = seen(folder).deliveries
    assert (delivery.state, delivery.problem) == ("failed", "archive down")
    with Jobs(f"sqlite:///{folder / 'queue.sqlite'}", folder) as jobs:
        assert "pacs" in jobs.retry("job1")
    run(folder, submit=[])
    assert journal(folder).count("job1 arrived pacs") == 1
    assert journal(folder).count("job1 segment") == 1
    (delivery,) = seen(folder).deliveries
    assert delivery.state == "delivered"


def test_a_failed_job_is_shown_with_its_error_and_runs_again_on_retry(folder):
    run(folder, fail_at="segment", until="job1 segment", linger=2)
    view = seen(folder)
    assert view.state == "failed"
    assert "broken step" in view.problem
    with Jobs(f"sqlite:///{folder / 'queue.sqlite'}", folder) as jobs:
        jobs.retry("job1")
    run(folder, submit=[])
    assert seen(folder).state == "analysed"


def test_one_archive_being_down_does_not_hold_up_the_next_job(folder):
    run(
        folder,
        submit=["job1", "job2"],
        failures=10**6,
        attempts=10**6,
        until="job2 send",
        linger=0.2,
    )
    assert "job2 write" in journal(folder)


def test_not_analysable_is_an_outcome_not_a_failure(folder):
    run(folder, outcome="not_analysable")
    assert seen(folder).state == "not_analysable"


def test_a_finished_job_cannot_be_retried_or_cancelled(folder):
    run(folder, linger=1)
    with Jobs(f"sqlite:///{folder / 'queue.sqlite'}", folder) as jobs:
        with pytest.raises(UsageError, match="nothing to retry"):
            jobs.retry("job1")
        with pytest.raises(UsageError, match="nothing to cancel"):
            jobs.cancel("job1")
        with pytest.raises(UsageError, match="no job 'other'"):
            jobs.get("other")
