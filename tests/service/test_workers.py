"""Several workers on one PostgreSQL, of which some die."""

import json
import subprocess
import sys
from collections import Counter

import pytest
import queue_program
from queue_program import Journal, work
from waiting import wait_for

from service.jobs import Jobs

LEASE_SECONDS = 2.0
STEPS = ("assemble", "segment", "write")


class Hosts:
    """Processes that work on one queue."""

    def __init__(self, folder, url):
        self.folder, self.url = folder, url
        self.journal = Journal(folder)
        self.processes = []

    def start(self, name, **plan):
        plan = {"name": name, "lease": LEASE_SECONDS, **plan}
        program = [sys.executable, queue_program.__file__, self.folder, self.url, json.dumps(plan)]
        self.processes.append(subprocess.Popen(program))
        return self.processes[-1]

    def steps(self) -> Counter:
        """How often each step of each job was begun."""
        lines = (line.split() for line in self.journal.lines())
        return Counter((line[0], line[1]) for line in lines if line[1] in STEPS)

    def states(self) -> dict[str, str]:
        with Jobs(self.url, self.folder) as jobs:
            return {job.id: job.state for job in jobs.recent()}


@pytest.fixture
def hosts(tmp_path, postgresql_url):
    hosts = Hosts(tmp_path, postgresql_url)
    yield hosts
    for process in hosts.processes:
        process.kill()
        process.wait(30)


def test_another_worker_takes_the_job_of_a_dead_one_at_the_step_it_was_in(hosts):
    assert hosts.start("first", submit=["job1"], kill_at="segment").wait(60) == 9
    work(hosts.folder, hosts.url, {"name": "second", "lease": LEASE_SECONDS})
    assert hosts.states() == {"job1": "analysed"}
    assert hosts.steps() == {("job1", "assemble"): 1, ("job1", "segment"): 2, ("job1", "write"): 1}
    assert hosts.journal.lines().count("job1 arrived pacs") == 1


def test_a_live_worker_keeps_its_job_however_long_a_step_takes(hosts):
    held = hosts.start("first", submit=["job1"], wait_in="job1", held=True)
    wait_for(lambda: hosts.journal.says("job1 assemble"))
    plan = {"submit": ["job2"], "step_seconds": LEASE_SECONDS, "until": ["job2 arrived pacs"]}
    work(hosts.folder, hosts.url, {"name": "second", "lease": LEASE_SECONDS, **plan})
    assert hosts.states() == {"job1": "running", "job2": "analysed"}
    (hosts.folder / "go").touch()
    assert held.wait(60) == 0
    assert set(hosts.steps().values()) == {1}


@pytest.mark.slow
def test_two_workers_share_twenty_series_and_one_is_killed(hosts):
    names = [f"job{number}" for number in range(20)]
    killed = hosts.start("first", submit=names, step_seconds=0.2, until=["never"])
    survivor = hosts.start("second", step_seconds=0.2, until=["the end"])
    wait_for(lambda: hosts.journal.lines().count("first worked") >= 5)
    wait_for(lambda: hosts.journal.lines().count("second worked") >= 5)
    killed.kill()
    wait_for(lambda: set(hosts.states().values()) == {"analysed"}, seconds=120)
    wait_for(lambda: sum("arrived" in line for line in hosts.journal.lines()) >= 20, seconds=120)
    hosts.journal.note("the end")
    assert survivor.wait(60) == 0
    begun = hosts.steps()
    assert set(begun) == {(job, step) for job in names for step in STEPS}
    again = {key for key, times in begun.items() if times > 1}
    assert len(again) <= 1, again
    arrived = Counter(line for line in hosts.journal.lines() if "arrived" in line)
    assert set(arrived) == {f"{job} arrived pacs" for job in names}
    assert set(arrived.values()) == {1}
