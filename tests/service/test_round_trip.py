"""The whole road with real parts: scanner -> node -> model -> results -> archive."""

import json
from collections import Counter

import numpy as np
import pydicom
import pytest
from conftest import wait_for

from inference import CTVolume
from inference.nifti import load_labels


def results(service, job):
    return service.jobs_folder / job.id / "results"


def test_a_series_comes_back_as_seg_sr_pictures_and_pdf(service_factory, archive, small_phantom):
    """Sent in any order and twice, one job and one set of results reach the archive."""
    files = sorted((small_phantom / "dicom").iterdir())
    with service_factory(archive.port) as service:
        service.start()
        service.send(files[::-1])
        service.send(files)
        (job,) = service.wait_delivered()
        findings = json.loads((results(service, job) / "findings.json").read_text())
        page = service.get(f"/jobs/{job.id}")
        metrics = service.get("/metrics")
        assert service.terminate() == 0
    assert findings["status"] == "analysed"
    assert [v["label"] for v in findings["vertebrae"] if v["complete"]] == [
        "L1", "L2", "L3", "L4", "L5",
    ]  # fmt: skip
    stored = [pydicom.dcmread(path) for path in archive.folder.glob("*.dcm")]
    assert Counter(ds.Modality for ds in stored) >= Counter(["SEG", "SR", "OT", "DOC"])
    assert all(count == 1 for count in archive.stores.values())
    study = pydicom.dcmread(files[0], stop_before_pixels=True)
    assert {ds.StudyInstanceUID for ds in stored} == {study.StudyInstanceUID}
    assert {ds.PatientID for ds in stored} == {study.PatientID}
    assert "L2" in page
    assert 'spinenode_jobs{state="analysed"} 1.0' in metrics


def test_masks_of_the_model_lie_on_the_truth(service_factory, archive, small_phantom):
    """Through DICOM, network and NIfTI, left stays left and up stays up."""
    with service_factory(archive.port) as service:
        service.start()
        service.send(sorted((small_phantom / "dicom").iterdir()))
        (job,) = service.wait_delivered()
        volume = CTVolume.from_dicom(small_phantom / "dicom")
        found = load_labels(results(service, job) / "segmentation.nii.gz", volume)
    truth = load_labels(small_phantom / "labels.nii.gz", volume)
    for label in range(20, 25):
        a, b = found == label, truth == label
        assert 2 * np.count_nonzero(a & b) / (np.count_nonzero(a) + np.count_nonzero(b)) > 0.85


@pytest.mark.parametrize(
    "step",
    [
        "segment",
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in ("assemble", "measure", "texture", "write", "verify")
        ),
    ],
)
def test_killed_in_a_step_the_service_finishes_the_job_after_restart(
    service_factory, archive, small_phantom, step
):
    """kill -9 in the middle; after a restart the archive holds each result once."""
    with service_factory(archive.port) as service:
        service.start()
        service.send(sorted((small_phantom / "dicom").iterdir()))

        def reached():
            jobs = service.jobs()
            return jobs and (jobs[0].step == step or jobs[0].state != "running") and jobs[0]

        wait_for(lambda: service.jobs() and service.jobs()[0].state == "running", "the job")
        wait_for(reached, f"step {step}")
        service.kill()
        service.start()
        (job,) = service.wait_delivered()
        assert job.state == "analysed"
    assert all(count == 1 for count in archive.stores.values())
    assert len(archive.stores) >= 5


def test_no_patient_identifier_reaches_logs_metrics_or_pages(
    service_factory, archive, small_phantom, tmp_path
):
    secrets = {
        "PatientName": "Zyxwvut^Qponm",
        "PatientID": "SECRET-4711",
        "PatientBirthDate": "19440321",
    }
    folder = tmp_path / "named"
    folder.mkdir()
    for path in sorted((small_phantom / "dicom").iterdir()):
        ds = pydicom.dcmread(path)
        for keyword, value in secrets.items():
            setattr(ds, keyword, value)
        ds.save_as(folder / path.name)
    with service_factory(archive.port) as service:
        service.start()
        service.send(sorted(folder.iterdir()))
        (job,) = service.wait_delivered()
        pages = service.get("/") + service.get(f"/jobs/{job.id}") + service.get("/metrics")
        service.terminate()
        seen = pages + service.log.read_text(errors="replace")
        names = " ".join(str(path) for path in service.folder.rglob("*"))
    for value in ("Zyxwvut", "SECRET-4711", "19440321"):
        assert value not in seen
        assert value not in names
