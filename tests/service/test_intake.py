"""Which complete series become jobs, and what a job id depends on."""

from pathlib import Path

import pydicom
import pytest
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from node import ReceivedInstance, ReceivedSeries, instance_set_digest
from service.config import Config, NodeConfig, RulesConfig, TextureConfig
from service.intake import Intake, reason_to_leave_out
from service.layout import jobs_folder
from service.request import read_request
from service.toolbox import Toolbox


class FakeQueue:
    def __init__(self):
        self.submitted = []

    def submit(self, job_id):
        self.submitted.append(job_id)


def received(folder: Path, count: int, **elements) -> ReceivedSeries:
    files = []
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
    digest = instance_set_digest((f.SOPInstanceUID, f.sha256) for f in files)
    return ReceivedSeries("1.2.3", series_uid, folder, tuple(files), digest, "CT", "quiet")


@pytest.mark.parametrize(
    ("elements", "rules", "word"),
    [
        ({}, {}, ""),
        ({}, {"min_instances": 4}, "min_instances"),
        ({"NumberOfFrames": 60}, {"min_instances": 4}, ""),
        ({"SeriesDescription": "Lung 1.0"}, {"exclude_description": ("lung",)}, "'lung'"),
        ({"SeriesDescription": "Spine"}, {"include_description": ("SPINE",)}, ""),
        ({"SeriesDescription": "Topogram"}, {"include_description": ("spine",)}, "include"),
        ({"SliceThickness": 5.0}, {"max_slice_thickness_mm": 3.0}, "SliceThickness 5 mm"),
        ({"SliceThickness": 3.0}, {"max_slice_thickness_mm": 3.0}, ""),
        ({}, {"max_slice_thickness_mm": 3.0}, ""),
    ],
)
def test_rules_leave_series_out_with_a_reason(tmp_path, elements, rules, word):
    series = received(tmp_path, 3, **elements)
    reason = reason_to_leave_out(series, RulesConfig(**{"min_instances": 1, **rules}))
    assert word in reason
    assert bool(reason) == bool(word)


def config_in(tmp_path, **sections):
    return Config(
        node=NodeConfig(spool=tmp_path / "spool"), rules=RulesConfig(min_instances=1), **sections
    )


def test_the_same_instances_give_the_same_job_and_keep_its_first_request(tmp_path):
    config, queue = config_in(tmp_path), FakeQueue()
    series = received(tmp_path, 3)
    for _ in range(2):
        Intake(Toolbox(config), queue).series_complete(series)
    first, second = queue.submitted
    assert first == second
    request = read_request(jobs_folder(config) / first)
    assert [path.name for path in request.files] == ["0.dcm", "1.dcm", "2.dcm"]
    assert request.SeriesInstanceUID == series.SeriesInstanceUID


def test_a_late_slice_or_another_configuration_gives_another_job(tmp_path):
    queue = FakeQueue()
    config = config_in(tmp_path)
    Intake(Toolbox(config), queue).series_complete(received(tmp_path, 3))
    Intake(Toolbox(config), queue).series_complete(received(tmp_path, 4))
    other = config_in(tmp_path, texture=TextureConfig(preset="vallieres"))
    Intake(Toolbox(other), queue).series_complete(received(tmp_path, 3))
    assert len(set(queue.submitted)) == 3


def test_a_series_left_out_starts_no_job(tmp_path):
    config = Config(node=NodeConfig(spool=tmp_path / "spool"), rules=RulesConfig(min_instances=9))
    queue = FakeQueue()
    Intake(Toolbox(config), queue).series_complete(received(tmp_path, 3))
    assert queue.submitted == []
    assert not jobs_folder(config).exists()
