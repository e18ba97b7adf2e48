"""`jobs retry` and `jobs cancel` on every state, on SQLite and on PostgreSQL."""

import json
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
import typer.testing
from queue_program import Journal, steps_of, work
from waiting import wait_for

from service.cli import app
from service.config import Config, NodeConfig
from service.errors import UsageError
from service.jobs import Jobs
from service.layout import ledger_beside
from service.metrics import Metrics
from service.pipeline import Analysis
from service.priority import STAT_PRIORITY
from service.queue import JobQueue
from service.refusals import Encoding, Refusals
from service.request import Request
from service.runner import JobRunner
from service.series_facts import SeriesFacts
from service.series_register import (
    RegisteredSeries,
    SeriesRegister,
    SeriesState,
    register_location,
)
from service.toolbox import Toolbox
from service.workspace import Workspace


class Bench:
    """A queue in this process whose steps wait, and its command line's view of it."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.url = folder, url
        self.spool = folder / "spool"
        (self.spool / "jobs").mkdir(parents=True)
        self.journal = Journal(folder)
        self.queue: JobQueue | None = None

    def start(self, **plan):
        steps = steps_of(self.journal, self.folder, plan)
        self.queue = JobQueue(self.url, steps, 1, plan.get("name", ""))
        self.queue.start()
        return self.queue

    def stop(self):
        if self.queue is not None:
            (self.folder / "go").touch()
            self.queue.stop(5)
            self.queue = None

    def work(self, **plan):
        """Work until everything has ended."""
        self.stop()
        work(self.folder, self.url, plan)

    def jobs(self):
        return Jobs(self.url, self.spool / "jobs")

    def state(self, job="job1"):
        with self.jobs() as jobs:
            return jobs.get(job).state

    def wait_state(self, state, job="job1"):
        wait_for(lambda: self.state(job) == state)

    def command(self, *args):
        """Exit code and text of `spinenode jobs ...`."""
        config = self.folder / "config.yaml"
        config.write_text(
            json.dumps({"node": {"spool": str(self.spool)}, "service": {"database": self.url}})
        )
        result = typer.testing.CliRunner().invoke(
            app, ["jobs", *args, "--config", str(config)], standalone_mode=False
        )
        return str(result.exception) if result.exception else result.output.strip()


@pytest.fixture(params=["sqlite", "postgresql"])
def bench(request, tmp_path):
    url = f"sqlite:///{tmp_path / 'spool' / 'queue.sqlite'}"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgresql_url")
    bench = Bench(tmp_path, url)
    yield bench
    bench.stop()


def test_a_queued_job_is_cancelled_and_then_runs_on_retry(bench):
    queue = bench.start(wait_in="first")
    queue.submit("first")
    wait_for(lambda: bench.journal.says("first assemble"))
    queue.submit("job1")
    assert bench.command("retry", "job1") == "job job1 is queued: nothing to retry; cancel it first"
    assert bench.command("cancel", "job1") == "job job1 cancelled"
    assert bench.command("cancel", "job1") == "job job1 is cancelled: nothing to cancel"
    (bench.folder / "go").touch()
    bench.wait_state("analysed", "first")
    assert not bench.journal.says("job1 assemble")
    assert bench.command("retry", "job1") == "job job1 queued again"
    bench.wait_state("analysed")


def test_a_running_job_stops_after_its_step_and_runs_on_retry(bench):
    queue = bench.start(wait_in="job1")
    queue.submit("job1")
    wait_for(lambda: bench.journal.says("job1 assemble"))
    bench.wait_state("running")
    said = bench.command("retry", "job1")
    assert said == "job job1 is running: nothing to retry; cancel it first"
    said = bench.command("cancel", "job1")
    assert said == "job job1 cancelled; it stops when its present step (assemble) ends"
    assert bench.state() == "cancelled"
    (bench.folder / "go").touch()
    queue.submit("next")
    bench.wait_state("analysed", "next")
    assert not bench.journal.says("job1 segment")
    assert bench.command("retry", "job1") == "job job1 queued again"
    bench.wait_state("analysed")
    assert bench.journal.lines().count("job1 segment") == 1


def test_a_failed_job_cannot_be_cancelled_and_keeps_its_priority_on_retry(bench):
    request = Request("job1", (), datetime.now(UTC).isoformat(), priority=STAT_PRIORITY)
    Workspace(bench.spool / "jobs" / "job1").put_request(request)
    bench.work(submit=["job1"], fail_at="segment")
    assert bench.command("cancel", "job1") == "job job1 is failed: nothing to cancel"
    assert bench.command("retry", "job1") == "job job1 queued again"
    with bench.jobs() as jobs:
        assert jobs.get("job1").priority == "stat"
    bench.work()
    assert bench.state() == "analysed"


def test_a_delivery_between_attempts_is_cancelled_and_sent_on_retry(bench):
    queue = bench.start(failures=1, backoff=600)
    queue.submit("job1")
    wait_for(lambda: bench.journal.says("job1 send pacs"))
    bench.wait_state("analysed")
    said = bench.command("cancel", "job1")
    assert said == "job job1: delivery cancelled to pacs; what had arrived stays there"
    assert bench.command("retry", "job1") == "job job1: delivery queued again to pacs"
    wait_for(lambda: bench.journal.says("job1 arrived pacs"))


def test_a_job_that_ran_twice_has_its_delivery_sent_again_and_counts_once(bench):
    bench.work(submit=["job1"], fail_at="segment")
    bench.command("retry", "job1")
    bench.work(failures=1, attempts=1)
    with bench.jobs() as jobs:
        assert jobs.counts() == {"analysed": 1}
    for _ in range(2):
        (bench.folder / "journal").unlink()
        assert bench.command("retry", "job1") == "job job1: delivery queued again to pacs"
        bench.work(failures=1, attempts=1)
        assert bench.journal.says("job1 send pacs")


def test_a_retry_asks_an_archive_again_what_it_refused_before(bench):
    bench.work(submit=["job1"], failures=1, attempts=1)
    memory = Refusals(ledger_beside(bench.url, bench.spool / "jobs"))
    memory.remember("pacs", Encoding("1.2", "1.3"), "no")
    bench.command("retry", "job1")
    assert memory.known("pacs", 3600) == {}
    memory.close()


def test_a_finished_job_says_that_there_is_nothing_to_do(bench):
    bench.work(submit=["job1"])
    assert bench.command("retry", "job1") == "job job1 is analysed: nothing to retry"
    assert bench.command("cancel", "job1") == "job job1 is analysed: nothing to cancel"
    assert bench.command("retry", "other").startswith("no job 'other'")
    assert bench.command("cancel", "other").startswith("no job 'other'")


def left_out(bench, rule="modalities", with_request=True):
    entry = RegisteredSeries(
        SeriesInstanceUID="1.2.9",
        StudyInstanceUID="1.2",
        job_id="job9",
        state=SeriesState.LEFT_OUT,
        calling_ae_title="CT",
        facts=SeriesFacts(images=40),
        rule=rule,
        reason="series 1.2.8 of this study suits better: kernel",
    )
    if with_request:
        Workspace(bench.spool / "jobs" / "job9").put_request(Request("job9", (), "2026-01-01"))
    register = SeriesRegister(register_location(bench.url))
    register.enter(entry)
    return register


@pytest.mark.parametrize("rule", ["best_of", "modalities"])
def test_a_series_left_out_is_listed_with_its_reason_and_analysed_on_retry(bench, rule):
    register = left_out(bench, rule)
    (listed,) = json.loads(bench.command("list", "--json"))
    assert (listed["id"], listed["state"], listed["instances"]) == ("job9", "left_out", 40)
    assert listed["problem"] == f"rules.{rule}: series 1.2.8 of this study suits better: kernel"
    assert "suits better: kernel" in bench.command("list")
    assert bench.command("cancel", "job9") == "job job9 is left_out: nothing to cancel"
    said = bench.command("retry", "job9")
    assert said == f"job job9 queued, although it was left out by rules.{rule}"
    bench.work()
    assert bench.state("job9") == "analysed"
    assert register.find("1.2.9").state is SeriesState.CHOSEN
    assert register.left_out() == ()
    register.close()


def test_a_series_left_out_whose_images_nobody_noted_down_is_not_queued(bench):
    left_out(bench, with_request=False).close()
    with bench.jobs() as jobs, pytest.raises(UsageError, match="images are not noted down"):
        jobs.retry("job9")


def test_a_withdrawn_job_is_as_if_it_had_never_been_submitted(bench):
    queue = bench.start(wait_in="first")
    queue.submit("first")
    wait_for(lambda: bench.journal.says("first assemble"))
    queue.submit("job1")
    assert queue.withdraw("job1")
    assert not queue.withdraw("first"), "a job that has begun is not withdrawn"
    with bench.jobs() as jobs:
        assert [job.id for job in jobs.recent()] == ["first"]
    (bench.folder / "go").touch()
    queue.submit("job1")
    bench.wait_state("analysed")


def test_two_runs_of_one_job_never_overlap(tmp_path, monkeypatch):
    """The step that was running when the job was cancelled ends before the retry goes on."""
    inside, most, gate = [], [], threading.Event()

    def run(self, step):
        inside.append(step)
        most.append(len(inside))
        gate.wait(0.2)
        inside.remove(step)

    monkeypatch.setattr(Analysis, "run", run)
    config = Config(node=NodeConfig(spool=tmp_path))
    runner = JobRunner(Toolbox(config), Metrics(dict, tmp_path))
    threads = [threading.Thread(target=runner.run_step, args=("job1", "measure")) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1, 1]
