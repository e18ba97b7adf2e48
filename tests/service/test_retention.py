"""What is deleted, and what is not."""

import subprocess
import sys
from datetime import timedelta

from node import DeliveryLedger, DeliveryRequest, Spool, SpoolSettings
from node.ledger_upkeep import LedgerUpkeep
from service.config import Config, NodeConfig, RetentionConfig, ServiceConfig
from service.jobs import Jobs
from service.layout import images_folder, jobs_folder, ledger_location
from service.retention import Retention
from service.series_facts import SeriesFacts
from service.series_register import (
    RegisteredSeries,
    SeriesRegister,
    SeriesState,
    register_location,
)

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
    register = SeriesRegister(register_location(config.database_url))
    upkeep = LedgerUpkeep(ledger_location(config))
    with Jobs(config.database_url, jobs_folder(config)) as jobs:
        Retention(config, jobs, spool, register, upkeep).purge()
        remaining = [job.id for job in jobs.recent()]
        unfinished = jobs.oldest_unfinished()
    for each in (spool, register, upkeep):
        each.close()
    return remaining, unfinished


def test_results_older_than_the_limit_go_with_their_rows(tmp_path):
    config = config_in(tmp_path, results_days=timedelta(microseconds=1) / timedelta(days=1))
    folder = finished_job(config)
    assert purge(config) == ([], None)
    assert not folder.exists()


def remembered(config):
    """Rows about the job `old` and another one: in the ledger, and in the register."""
    ledger = DeliveryLedger(ledger_location(config))
    paths = {"1.2.3": "old/results/a.dcm", "1.2.4": "older/results/a.dcm"}
    ledger.queue(
        DeliveryRequest("pacs", uid, "1.2", jobs_folder(config) / path)
        for uid, path in paths.items()
    )
    register = SeriesRegister(register_location(config.database_url))
    for uid, job, state in (
        ("1.5", "old", SeriesState.CHOSEN),
        ("1.6", "older", SeriesState.CHOSEN),
        ("1.7", "never", SeriesState.LEFT_OUT),
    ):
        register.enter(RegisteredSeries(uid, "1.4", job, state, "CT", SeriesFacts(images=1)))
        register.note_job(uid, job)
    return ledger, register


def test_with_a_job_goes_what_ledger_and_register_say_of_it(tmp_path):
    config = config_in(tmp_path, results_days=timedelta(microseconds=1) / timedelta(days=1))
    finished_job(config)
    ledger, register = remembered(config)
    purge(config)
    assert [uid for uid in ("1.2.3", "1.2.4") if ledger.find("pacs", uid)] == ["1.2.4"]
    assert [uid for uid in ("1.5", "1.6", "1.7") if register.find(uid)] == ["1.6"]
    assert (register.jobs_of("1.5"), register.jobs_of("1.6")) == ((), ("older",))
    ledger.close()
    register.close()


def test_files_set_aside_go_with_the_images(tmp_path):
    config = config_in(tmp_path, results_days=1)
    finished_job(config)
    damaged = images_folder(config) / "damaged"
    damaged.mkdir(parents=True)
    (damaged / "torn.dcm").write_bytes(b"torn")
    purge(config)
    assert list(damaged.iterdir()) == []


def test_results_within_the_limit_stay(tmp_path):
    config = config_in(tmp_path, results_days=1)
    folder = finished_job(config)
    assert purge(config) == (["old"], None)
    assert (folder / "results" / "findings.json").is_file()
