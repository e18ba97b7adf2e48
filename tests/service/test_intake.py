"""Which complete series become jobs, and what a job id depends on."""

from pathlib import Path

import pydicom
import pytest
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from node import ReceivedInstance, ReceivedSeries, instance_set_digest
from service.config import Config, NodeConfig, RulesConfig, TextureConfig
from service.intake import Intake
from service.layout import jobs_folder
from service.metrics import Metrics
from service.priority import BACKFILL_PRIORITY, ROUTINE_PRIORITY, STAT_PRIORITY
from service.request import read_request
from service.series_register import SeriesRegister, SeriesState
from service.toolbox import Toolbox
from service.workspace import Workspace


class FakeQueue:
    """Remembers what was submitted; `begun` jobs cannot be withdrawn any more."""

    def __init__(self):
        self.submitted = []
        self.priorities = {}
        self.withdrawn = []
        self.begun = set()

    def submit(self, job_id, priority):
        self.submitted.append(job_id)
        self.priorities[job_id] = priority

    def withdraw(self, job_id):
        if job_id in self.begun:
            return False
        self.withdrawn.append(job_id)
        return True


def received(folder: Path, count: int, calling="CT", **elements) -> ReceivedSeries:
    files = []
    folder.mkdir(exist_ok=True)
    series_uid = generate_uid(entropy_srcs=[str(folder)])
    for number in range(count):
        ds = pydicom.Dataset()
        ds.file_meta = pydicom.dataset.FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        ds.SOPInstanceUID = generate_uid(entropy_srcs=[str(folder), str(number)])
        for keyword, value in elements.items():
            setattr(ds, keyword, value)
        ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = CTImageStorage
        ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
        path = folder / f"{number}.dcm"
        ds.save_as(path, enforce_file_format=True)
        files.append(ReceivedInstance(path, ds.SOPInstanceUID, f"{number:064d}"))
    digest = instance_set_digest((f.SOPInstanceUID, f.checksum) for f in files)
    return ReceivedSeries("1.2.3", series_uid, folder, tuple(files), digest, calling, "quiet")


class Desk:
    """An intake with its register; each study is decided as soon as a series is complete."""

    def __init__(self, folder: Path, **rules):
        rules = {"min_instances": 1, "study_quiet_seconds": 0, **rules}
        self.config = Config(node=NodeConfig(spool=folder / "spool"), rules=RulesConfig(**rules))
        self.queue = FakeQueue()
        folder.joinpath("spool").mkdir(exist_ok=True)
        self.register = SeriesRegister(folder / "spool" / "register.sqlite")
        self.metrics = Metrics(dict, folder)
        self.with_config(self.config)

    def with_config(self, config):
        self.intake = Intake(Toolbox(config), self.queue, self.register, self.metrics)

    def take(self, series):
        self.intake.series_complete(series)
        return self.register.find(series.SeriesInstanceUID)

    def workspace(self, job_id):
        return Workspace(jobs_folder(self.config) / job_id)


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path)


def test_the_same_instances_give_the_same_job_and_keep_its_first_request(desk, tmp_path):
    series = received(tmp_path / "a", 3)
    assert desk.take(series).state is SeriesState.CHOSEN
    created = desk.workspace(desk.queue.submitted[0]).request().created
    desk.take(series)
    assert len(set(desk.queue.submitted)) == 1
    request = read_request(jobs_folder(desk.config) / desk.queue.submitted[0])
    assert request.created == created
    assert [path.name for path in request.files] == ["0.dcm", "1.dcm", "2.dcm"]
    assert request.SeriesInstanceUID == series.SeriesInstanceUID
    assert request.supersedes == ()


def test_a_late_slice_or_another_configuration_gives_another_job(desk, tmp_path):
    desk.take(received(tmp_path / "a", 3))
    desk.take(received(tmp_path / "a", 4))
    desk.with_config(desk.config.model_copy(update={"texture": TextureConfig(preset="vallieres")}))
    desk.take(received(tmp_path / "a", 4))
    assert len(set(desk.queue.submitted)) == 3


def test_a_late_slice_supersedes_the_earlier_jobs_of_the_series(desk, tmp_path):
    first = desk.take(received(tmp_path / "a", 3)).job_id
    desk.queue.begun = {first}
    second = desk.take(received(tmp_path / "a", 4)).job_id
    third = desk.take(received(tmp_path / "a", 5)).job_id
    assert desk.workspace(second).request().supersedes == (first,)
    assert desk.workspace(third).request().supersedes == (second, first)
    assert desk.workspace(first).superseded_by() == third
    assert desk.queue.withdrawn == [second], "a job that nobody began need not be done"


def test_a_series_left_out_starts_no_job_and_its_reason_is_kept(tmp_path):
    desk = Desk(tmp_path, min_instances=9)
    entry = desk.take(received(tmp_path / "a", 3))
    assert desk.queue.submitted == []
    assert len(desk.workspace(entry.job_id).request().files) == 3, "somebody may ask for it"
    assert (entry.state, entry.rule) == (SeriesState.LEFT_OUT, "min_instances")
    assert desk.register.left_out() == (entry,)
    assert 'series_left_out_total{rule="min_instances"} 1.0' in desk.metrics.exposition().decode()


def test_a_series_left_out_is_analysed_when_late_slices_satisfy_the_rule(tmp_path):
    desk = Desk(tmp_path, min_instances=4)
    desk.take(received(tmp_path / "a", 3))
    assert desk.take(received(tmp_path / "a", 4)).state is SeriesState.CHOSEN
    assert desk.register.left_out() == ()


@pytest.mark.parametrize(
    ("elements", "calling", "priority"),
    [
        ({}, "CT", ROUTINE_PRIORITY),
        ({"RequestedProcedurePriority": "STAT"}, "CT", STAT_PRIORITY),
        ({}, "EMERGENCY", STAT_PRIORITY),
        ({"SeriesDescription": "Polytrauma 1.0"}, "CT", STAT_PRIORITY),
        ({}, "RESEARCH", BACKFILL_PRIORITY),
        ({"RequestedProcedurePriority": "STAT"}, "RESEARCH", STAT_PRIORITY),
    ],
)
def test_urgent_series_are_queued_before_others(tmp_path, elements, calling, priority):
    desk = Desk(
        tmp_path,
        stat_calling_ae_titles=("EMERGENCY",),
        stat_description=("trauma",),
        backfill_calling_ae_titles=("RESEARCH",),
    )
    entry = desk.take(received(tmp_path / "a", 3, calling, **elements))
    assert desk.queue.priorities == {entry.job_id: priority}
    assert desk.workspace(entry.job_id).request().priority == priority
