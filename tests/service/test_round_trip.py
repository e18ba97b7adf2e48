"""The whole road with real parts: scanner -> node -> model -> results -> archive."""

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
import pytest

from inference import CTVolume
from inference.nifti import load_labels
from node import LoopbackArchive

IDENTIFIERS = {
    "PatientName": "Zyxwvut^Qponm",
    "PatientID": "SECRET-4711",
    "PatientBirthDate": "19440321",
}

pytestmark = pytest.mark.xdist_group("round_trip")


@dataclass
class RoundTrip:
    """What one finished job left behind, after the service was stopped."""

    results: Path
    findings: dict
    archived: list
    stores: dict
    pages: str
    metrics: str
    log: str
    file_names: str
    exit_code: int
    jobs: list


@pytest.fixture(scope="module")
def named_series(small_phantom, tmp_path_factory):
    """The phantom's series with identifiers that no text may repeat."""
    folder = tmp_path_factory.mktemp("named")
    for path in sorted((small_phantom / "dicom").iterdir()):
        ds = pydicom.dcmread(path)
        for keyword, value in IDENTIFIERS.items():
            setattr(ds, keyword, value)
        ds.save_as(folder / path.name)
    return folder


@pytest.fixture(scope="module")
def round_trip(make_service, named_series, tmp_path_factory):
    """One series, sent backwards, then again in order; the service is then stopped."""
    folder = tmp_path_factory.mktemp("round-trip")
    files = sorted(named_series.iterdir())
    with LoopbackArchive(folder / "archive") as archive:
        service = make_service(folder, archive.port)
        service.start()
        service.send(files[::-1])
        service.send(files)
        (job,) = service.wait_delivered()
        pages = service.get("/") + service.get(f"/jobs/{job.id}")
        metrics = service.get("/metrics")
        exit_code = service.terminate()
        results = service.jobs_folder / job.id / "results"
        return RoundTrip(
            results=results,
            findings=json.loads((results / "findings.json").read_text()),
            archived=[pydicom.dcmread(path) for path in archive.folder.glob("*.dcm")],
            stores=dict(archive.stores),
            pages=pages,
            metrics=metrics,
            log=service.log.read_text(errors="replace"),
            file_names=" ".join(str(path) for path in folder.rglob("*")),
            exit_code=exit_code,
            jobs=service.jobs(),
        )


def test_sent_twice_and_in_any_order_there_is_one_job(round_trip):
    assert len(round_trip.jobs) == 1
    assert round_trip.exit_code == 0


def test_the_archive_holds_each_result_once_in_the_patient_s_study(round_trip, named_series):
    modalities = Counter(ds.Modality for ds in round_trip.archived)
    assert modalities >= Counter(["SEG", "SR", "OT", "DOC", "KO"])
    assert set(round_trip.stores.values()) == {1}
    source = pydicom.dcmread(next(named_series.iterdir()), stop_before_pixels=True)
    for ds in round_trip.archived:
        assert ds.StudyInstanceUID == source.StudyInstanceUID
        assert ds.PatientID == source.PatientID


def test_the_levels_and_the_fracture_are_found(round_trip):
    complete = [v for v in round_trip.findings["vertebrae"] if v["complete"]]
    assert [v["label"] for v in complete] == ["L1", "L2", "L3", "L4", "L5"]
    assert [v["label"] for v in complete if v["fractured"]] == ["L2"]


def test_masks_of_the_model_lie_on_the_truth(round_trip, small_phantom):
    """Through DICOM, network and NIfTI, left stays left and up stays up."""
    volume = CTVolume.from_dicom(small_phantom / "dicom")
    found = load_labels(round_trip.results / "segmentation.nii.gz", volume)
    truth = load_labels(small_phantom / "labels.nii.gz", volume)
    for label in range(20, 25):
        a, b = found == label, truth == label
        assert 2 * np.count_nonzero(a & b) / (np.count_nonzero(a) + np.count_nonzero(b)) > 0.85


def test_pages_and_metrics_show_the_job(round_trip):
    assert "L2" in round_trip.pages
    assert 'spinenode_jobs{state="analysed"} 1.0' in round_trip.metrics
    assert 'spinenode_received_instances_total{outcome="known"}' in round_trip.metrics


def test_no_patient_identifier_reaches_logs_metrics_pages_or_file_names(round_trip):
    for value in ("Zyxwvut", "SECRET-4711", "19440321"):
        assert value not in round_trip.log
        assert value not in round_trip.metrics
        assert value not in round_trip.pages
        assert value not in round_trip.file_names


@pytest.mark.parametrize(
    "step",
    [
        "segment",
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in ("assemble", "measure", "texture", "write", "verify", "send")
        ),
    ],
)
def test_killed_in_a_step_the_service_finishes_the_job_after_restart(
    make_service, small_phantom, tmp_path, step
):
    """kill -9 in the middle; after a restart the archive holds each result once."""
    with LoopbackArchive(tmp_path / "archive") as archive:
        service = make_service(tmp_path, archive.port)
        service.start()
        service.send(sorted((small_phantom / "dicom").iterdir()))
        service.wait_for(lambda: reached(service, archive, step), f"step {step}")
        service.kill()
        service.start()
        (job,) = service.wait_delivered()
        assert job.state == "analysed"
        assert len(list(archive.folder.glob("*.dcm"))) == len(archive.stores)
        kept = json.loads((service.jobs_folder / job.id / "written.json").read_text())
        assert set(archive.stores) == {entry["SOPInstanceUID"] for entry in kept}


def reached(service, archive, step):
    jobs = service.jobs()
    if step == "send":
        return len(archive.stores) >= 1
    return bool(jobs) and (jobs[0].step == step or jobs[0].state not in ("queued", "running"))
