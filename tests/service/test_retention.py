"""What is deleted, and what is not."""

import subprocess
import sys
from datetime import timedelta

from node import Spool, SpoolSettings
from service.config import Config, NodeConfig, RetentionConfig, ServiceConfig
from service.jobs import Jobs
from service.layout import images_folder, jobs_folder
from service.retention import Retention

ONE_JOB = """
import sys, time
from service.queue import JobQueue, Steps
steps = Steps(("assemble",), lambda j, s: None, lambda j: "analysed", lambda j: [],
              lambda j, d: "", lambda n: None)
queue = JobQueue(sys.argv[1], steps, 1)
queue.start()
queue.submit("old")
from dbos import DBOS
DBOS.retrieve_workflow("old").get_result()
queue.stop(2)
"""


def finished_job(config):
    (config.node.spool).mkdir(parents=True)
    subprocess.run([sys.executable, "-c", ONE_JOB, config.database_url], check=True, timeout=120)
    folder = jobs_folder(config) / "old"
    (folder / "results").mkdir(parents=True)
    (folder / "results" / "findings.json").write_text("{}")
    return folder


def config_in(tmp_path, results_days):
    return Config(
        node=NodeConfig(spool=tmp_path / "spool", min_free_gib=0),
        service=ServiceConfig(
            retention=RetentionConfig(images_days=1e-9, results_days=results_days)
        ),
    )


def purge(config):
    spool = Spool(SpoolSettings(images_folder(config), min_free_gib=0))
    with Jobs(config.database_url, jobs_folder(config)) as jobs:
        Retention(config, jobs, spool).purge()
        remaining = [job.id for job in jobs.recent()]
        unfinished = jobs.oldest_unfinished()
    spool.close()
    return remaining, unfinished


def test_results_older_than_the_limit_go_with_their_rows(tmp_path):
    config = config_in(tmp_path, results_days=timedelta(microseconds=1) / timedelta(days=1))
    folder = finished_job(config)
    assert purge(config) == ([], None)
    assert not folder.exists()


def test_results_within_the_limit_stay(tmp_path):
    config = config_in(tmp_path, results_days=1)
    folder = finished_job(config)
    assert purge(config) == (["old"], None)
    assert (folder / "results" / "findings.json").is_file()
