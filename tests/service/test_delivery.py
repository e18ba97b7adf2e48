"""Deliveries against real archives on loopback."""

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pydicom
import pytest
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from node import LoopbackArchive
from service.config import Config, DestinationConfig, NodeConfig
from service.delivery import BACKOFF, Deliverer, DeliveryRefused, backoff_seconds
from service.errors import RetryableError
from service.layout import jobs_folder
from service.metrics import Metrics
from service.request import Request
from service.workspace import Workspace
from sr_writer import WrittenObject

SEG = "1.2.840.10008.5.1.4.1.1.66.4"
SR = "1.2.840.10008.5.1.4.1.1.88.34"
JOB = "job1"


def write_object(folder: Path, kind: str, sop_class: str) -> WrittenObject:
    ds = pydicom.Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID = sop_class
    ds.SOPInstanceUID = generate_uid()
    ds.StudyInstanceUID = ds.SeriesInstanceUID = generate_uid()
    ds.file_meta.MediaStorageSOPClassUID = sop_class
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.Modality = "OT"
    path = folder / f"{kind}.dcm"
    ds.save_as(path, enforce_file_format=True)
    return WrittenObject(kind, path, sop_class, ds.SOPInstanceUID, ds.SeriesInstanceUID)


def deliverer_for(tmp_path, archive, **options):
    destination = DestinationConfig(
        name="pacs", ae_title="ARCHIVE", host="127.0.0.1", port=archive.port, **options
    )
    config = Config(node=NodeConfig(spool=tmp_path / "spool"), destinations=(destination,))
    workspace = Workspace(jobs_folder(config) / JOB)
    workspace.results.mkdir(parents=True, exist_ok=True)
    workspace.put_request(Request(JOB, (), datetime.now(UTC).isoformat()))
    written = (
        write_object(workspace.results, "seg", SEG),
        write_object(workspace.results, "sr", SR),
    )
    workspace.put_written(written)
    return Deliverer(config, Metrics(dict, tmp_path)), written


def test_every_object_arrives_and_is_not_sent_again(tmp_path):
    with LoopbackArchive(tmp_path / "a") as archive:
        deliverer, written = deliverer_for(tmp_path, archive)
        assert deliverer.destinations(JOB) == ["pacs"]
        assert deliverer.deliver(JOB, "pacs") == "delivered"
        assert "before" in deliverer.deliver(JOB, "pacs")
        assert dict(archive.stores) == {each.SOPInstanceUID: 1 for each in written}


def test_a_destination_gets_only_the_outputs_it_wants(tmp_path):
    with LoopbackArchive(tmp_path / "a") as archive:
        deliverer, written = deliverer_for(tmp_path, archive, outputs=("sr",))
        deliverer.deliver(JOB, "pacs")
        assert list(archive.stores) == [written[1].SOPInstanceUID]


def test_an_archive_that_is_down_is_retryable_and_loses_nothing(tmp_path):
    with LoopbackArchive(tmp_path / "a") as archive:
        port = archive.port
        deliverer, written = deliverer_for(tmp_path, archive)
    with pytest.raises(RetryableError):
        deliverer.deliver(JOB, "pacs")
    with LoopbackArchive(tmp_path / "a", port=port) as archive:
        deliverer.deliver(JOB, "pacs")
        assert len(archive.stores) == len(written)


def test_an_archive_out_of_resources_is_retryable(tmp_path):
    with LoopbackArchive(tmp_path / "a") as archive:
        deliverer, written = deliverer_for(tmp_path, archive)
        archive.status_for = lambda _: 0xA700
        with pytest.raises(RetryableError, match="0xA700"):
            deliverer.deliver(JOB, "pacs")
        archive.status_for = lambda _: 0x0000
        deliverer.deliver(JOB, "pacs")
        assert len(archive.stores) == len(written)


def test_an_archive_that_refuses_seg_still_gets_the_rest(tmp_path):
    with LoopbackArchive(tmp_path / "a", sop_classes=[SR]) as archive:
        deliverer, written = deliverer_for(tmp_path, archive)
        assert "seg refused" in deliverer.deliver(JOB, "pacs")
        assert list(archive.stores) == [written[1].SOPInstanceUID]


def test_an_archive_that_refuses_everything_is_a_dead_letter_at_once(tmp_path):
    with LoopbackArchive(tmp_path / "a", sop_classes=["1.2.840.10008.5.1.4.1.1.7"]) as archive:
        deliverer, _ = deliverer_for(tmp_path, archive)
        with pytest.raises(DeliveryRefused, match="all 2 objects refused"):
            deliverer.deliver(JOB, "pacs")


def test_attempts_spread_over_hours_and_then_end():
    waits = [backoff_seconds(attempt) for attempt in range(1, BACKOFF.most_attempts)]
    assert all(wait is not None and wait > 0 for wait in waits)
    assert sum(waits) > 8 * 3600
    assert backoff_seconds(BACKOFF.most_attempts) is None


def supersede(tmp_path, status="analysed"):
    """A later job of the series has results."""
    config_folder = tmp_path / "spool" / "jobs"
    Workspace(config_folder / JOB).put_superseded("job2")
    later = Workspace(config_folder / "job2")
    later.results.mkdir(parents=True)
    (later.results / "findings.json").write_text("{}")
    return SimpleNamespace(status=status)


def test_what_a_later_job_has_replaced_is_not_sent_any_more(tmp_path, monkeypatch):
    with LoopbackArchive(tmp_path / "a") as archive:
        deliverer, _ = deliverer_for(tmp_path, archive)
        findings = supersede(tmp_path)
        monkeypatch.setattr(Workspace, "findings", lambda _: findings)
        assert deliverer.deliver(JOB, "pacs") == "superseded"
        assert archive.stores == {}


def test_what_was_half_sent_when_it_was_replaced_is_sent_to_its_end(tmp_path, monkeypatch):
    with LoopbackArchive(tmp_path / "a") as archive:
        deliverer, written = deliverer_for(tmp_path, archive)
        archive.status_for = lambda uid: 0xA700 if uid == SR else 0
        with pytest.raises(RetryableError):
            deliverer.deliver(JOB, "pacs")
        archive.status_for = lambda _: 0
        findings = supersede(tmp_path)
        monkeypatch.setattr(Workspace, "findings", lambda _: findings)
        deliverer.deliver(JOB, "pacs")
        assert set(archive.stores.values()) == {1}
        assert len(archive.stores) == len(written)


def test_a_result_withheld_by_a_rule_has_no_destination(tmp_path):
    with LoopbackArchive(tmp_path / "a") as archive:
        deliverer, _ = deliverer_for(tmp_path, archive)
        Workspace(tmp_path / "spool" / "jobs" / JOB).put_withheld("2 levels")
        assert deliverer.destinations(JOB) == []
