"""Jobs that were left in the queue by a program with another order of steps."""

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
import queue_program
from private_postgresql import postgresql_server, postgresql_url  # noqa: F401 - fixtures
from queue_program import Journal, work

from service.adoption import adopt_jobs
from service.jobs import Jobs
from service.queue import WORKFLOW_VERSION, dbos_url
from service.steps import STEPS

pytestmark = pytest.mark.xdist_group("queue")
NEXT = "next"
ENQUEUED = "deliver_results"
NEXT_STEPS = ["assemble", "align", "segment", "write"]


class Left:
    """A queue that a killed program of this version left behind."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.url = folder, url

    def by(self, kill_at: str) -> None:
        plan = json.dumps({"submit": ["job1", "job2"], "kill_at": kill_at, "name": "us"})
        program = [sys.executable, queue_program.__file__, str(self.folder), self.url, plan]
        assert subprocess.run(program, timeout=120, check=False).returncode == 9

    def continued(self) -> list[str]:
        """The journal, after a program with a further step has worked on it."""
        work(self.folder, self.url, {"steps": NEXT_STEPS, "name": "us"})
        return Journal(self.folder).lines()

    def states(self) -> dict[str, str]:
        with Jobs(self.url, self.folder) as jobs:
            return {job.id: job.state for job in jobs.recent()}


@pytest.fixture(params=["sqlite", "postgresql"])
def left(request, tmp_path):
    if request.param == "postgresql":
        return Left(tmp_path, request.getfixturevalue("postgresql_url"))
    return Left(tmp_path, f"sqlite:///{tmp_path / 'queue.sqlite'}")


@pytest.fixture
def next_version(monkeypatch):
    monkeypatch.setattr("service.queue.WORKFLOW_VERSION", NEXT)


def test_a_job_half_done_and_one_that_waited_are_both_finished_with_the_new_steps(
    left, next_version
):
    left.by(kill_at="segment")
    lines = left.continued()
    assert left.states() == {"job1": "analysed", "job2": "analysed"}
    for job in ("job1", "job2"):
        assert lines.count(f"{job} align") == lines.count(f"{job} arrived pacs") == 1


def test_a_delivery_that_was_under_way_arrives_once_and_is_not_analysed_again(left, next_version):
    left.by(kill_at="send")
    lines = left.continued()
    assert lines.count("job1 arrived pacs") == 1
    assert lines.count("job1 segment") == 1


def test_what_another_process_has_begun_stays_with_it(left):
    left.by(kill_at="segment")
    assert adopt_jobs(dbos_url(left.url), NEXT, "others") == 1  # the one that waited
    assert adopt_jobs(dbos_url(left.url), NEXT, "us") == 1


def test_nothing_is_adopted_from_the_same_version_or_an_empty_database(left):
    assert adopt_jobs(dbos_url(left.url), WORKFLOW_VERSION, "us") == 0
    left.by(kill_at="segment")
    assert adopt_jobs(dbos_url(left.url), WORKFLOW_VERSION, "us") == 0


def test_another_order_of_steps_has_another_version(tmp_path):
    """Fails when the order changes: then WORKFLOW_VERSION has to, and this line after it.

    The second attempt of a delivery succeeds here, so that every kind of step is recorded.
    """
    database = tmp_path / "queue.sqlite"
    plan = {"submit": ["job1"], "steps": list(STEPS), "failures": 1}
    work(tmp_path, f"sqlite:///{database}", plan)
    recorded = {name: recorded_steps(database, name) for name in ("job1", "job1@pacs")}
    measuring = ("assemble", "segment", "measure", "texture", "write", "verify")
    versions = {
        "2": {
            "job1": [*measuring, "finish", "destinations", ENQUEUED],
            "job1@pacs": ["send attempt 1", "next attempt", "send attempt 2"],
        }
    }
    assert versions[WORKFLOW_VERSION] == recorded


def recorded_steps(database, workflow):
    query = "SELECT function_name FROM operation_outputs WHERE workflow_uuid=? ORDER BY function_id"
    with closing(sqlite3.connect(database)) as rows:
        return [name for (name,) in rows.execute(query, (workflow,))]
