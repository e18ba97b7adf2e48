"""What is deleted, and what is not."""

import os
import subprocess
import sys
import threading
import time
from datetime import timedelta

import pydicom

from node import (
    DeliveryLedger,
    DeliveryRequest,
    Destination,
    ListenerSettings,
    NodeServer,
    SeriesSettings,
    Spool,
    SpoolSettings,
    send_files,
)
from node.ledger_upkeep import LedgerUpkeep
from service.audit import SILENT
from service.config import Config, NodeConfig, RetentionConfig, ServiceConfig
from service.jobs import Jobs
from service.layout import images_folder, jobs_folder, ledger_location
from service.request import Request
from service.retention import Retention
from service.series_facts import SeriesFacts
from service.series_register import (
    RegisteredSeries,
    SeriesRegister,
    SeriesState,
    register_location,
)
from service.workspace import Workspace

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


class Recorded:
    """A recorder that remembers the studies whose deletion it was told."""

    def __init__(self):
        self.studies = []

    def deleted(self, study_uid):
        self.studies.append(study_uid)


def purge(config, recorder=SILENT):
    spool = Spool(SpoolSettings(images_folder(config), min_free_gib=0))
    register = SeriesRegister(register_location(config.database_url))
    upkeep = LedgerUpkeep(ledger_location(config))
    with Jobs(config.database_url, jobs_folder(config)) as jobs:
        Retention(config, jobs, spool, register, upkeep, recorder).purge()
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


def abandoned_folder(config, job_id, days_old):
    """The folder of a series that was left out for a better one, so old."""
    workspace = Workspace(jobs_folder(config) / job_id)
    workspace.put_request(
        Request(job_id, (), "2026-01-01", StudyInstanceUID="1.2", SeriesInstanceUID=f"1.2.{job_id}")
    )
    then = time.time() - days_old * 86400
    os.utime(workspace.folder, (then, then))
    return workspace.folder


def test_folders_of_series_that_never_became_jobs_go_too(tmp_path, caplog):
    caplog.set_level("INFO", "service.retention")
    config, recorder = config_in(tmp_path, results_days=30), Recorded()
    old = abandoned_folder(config, "old", 31)
    recent = abandoned_folder(config, "recent", 29)
    assert purge(config, recorder) == ([], None)
    assert (old.exists(), recent.exists()) == (False, True)
    assert recorder.studies == ["1.2"]
    told = [r for r in caplog.records if r.message == "deleted"]
    assert [(r.what, r.study, r.series) for r in told] == [("results", "1.2", "1.2.old")]


def test_the_folder_of_a_series_that_waits_for_its_study_stays(tmp_path):
    config = config_in(tmp_path, results_days=1)
    folder = abandoned_folder(config, "old", 3)
    register = SeriesRegister(register_location(config.database_url))
    register.enter(
        RegisteredSeries("1.2.3", "1.2", "old", SeriesState.WAITING, "CT", SeriesFacts())
    )
    register.close()
    purge(config)
    assert folder.exists()


def test_images_are_deleted_with_a_line_for_each_series(tmp_path, small_phantom):
    config, recorder = config_in(tmp_path, results_days=30), Recorded()
    files = sorted((small_phantom / "dicom").iterdir())[:3]
    spool = Spool(SpoolSettings(images_folder(config), min_free_gib=0))
    taken = threading.Event()
    node = NodeServer(
        ListenerSettings(ae_title="SPINENODE", host="127.0.0.1", port=0),
        spool,
        SeriesSettings(quiet_seconds=0.1),
        lambda _: taken.set(),
    )
    node.start()
    send_files(files, Destination("node", "SPINENODE", "127.0.0.1", node.port))
    assert taken.wait(60)
    node.stop()
    spool.close()
    study = pydicom.dcmread(files[0], stop_before_pixels=True).StudyInstanceUID
    purge(config, recorder)
    assert recorder.studies == [study]
    assert not list(images_folder(config).rglob("*.dcm"))
