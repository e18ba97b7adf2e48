"""Late slices, better series and second choices through the running service."""

import json

import pydicom
import pytest
from pydicom.uid import generate_uid

from node import LoopbackArchive
from service.jobs import Jobs

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("round_trip")]
SR = "1.2.840.10008.5.1.4.1.1.88.34"


def series_of(small_phantom, folder, name, **elements):
    """The phantom's slices as another series of the same study."""
    folder.mkdir()
    files = []
    for number, path in enumerate(sorted((small_phantom / "dicom").iterdir())):
        ds = pydicom.dcmread(path)
        ds.SeriesInstanceUID = generate_uid(entropy_srcs=[name])
        ds.SOPInstanceUID = generate_uid(entropy_srcs=[name, str(number)])
        ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
        for keyword, value in elements.items():
            setattr(ds, keyword, value)
        files.append(folder / path.name)
        ds.save_as(files[-1])
    return files


def left_out(service):
    with Jobs(
        f"sqlite:///{service.folder / 'spool' / 'queue.sqlite'}", service.jobs_folder
    ) as jobs:
        return jobs.left_out()


def test_a_late_slice_makes_a_result_that_names_the_one_it_supersedes(
    make_service, small_phantom, tmp_path
):
    files = sorted((small_phantom / "dicom").iterdir())
    with LoopbackArchive(tmp_path / "archive") as archive:
        service = make_service(tmp_path, archive.port)
        service.start()
        service.send(files[:-1])
        (first,) = service.wait_delivered()
        service.send(files[-1:])
        jobs = {job.instances: job for job in service.wait_delivered(2)}
        assert service.terminate() == 0
        reports = [pydicom.dcmread(path) for path in archive.folder.glob("*.dcm")]
        stores = set(archive.stores.values())
    before, after = jobs[len(files) - 1], jobs[len(files)]
    assert before.id == first.id
    assert f"superseded by {after.id}" in before.remarks
    assert f"supersedes {before.id}" in after.remarks
    uids = [
        json.loads((service.jobs_folder / job.id / "results" / "findings.json").read_text())[
            "outputs"
        ]["sr"]["sop_instance_uid"]
        for job in (before, after)
    ]
    old, new = (next(ds for ds in reports if ds.SOPInstanceUID == uid) for uid in uids)
    assert "PredecessorDocumentsSequence" not in old
    (study,) = new.PredecessorDocumentsSequence
    assert study.StudyInstanceUID == old.StudyInstanceUID
    (series,) = study.ReferencedSeriesSequence
    (reference,) = series.ReferencedSOPSequence
    assert series.SeriesInstanceUID == old.SeriesInstanceUID
    assert (reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID) == (SR, uids[0])
    texts = [str(element.value) for element in new.iterall() if element.keyword == "TextValue"]
    assert any("1 more image arrived" in text for text in texts)
    assert stores == {1}


def test_of_several_series_the_best_is_analysed_and_the_next_where_it_cannot_be(
    make_service, small_phantom, tmp_path
):
    smooth = series_of(small_phantom, tmp_path / "a", "smooth", ConvolutionKernel="B30f")
    sharp = series_of(small_phantom, tmp_path / "b", "sharp", ConvolutionKernel="B70f")
    derived = series_of(
        small_phantom,
        tmp_path / "c",
        "derived",
        ConvolutionKernel="B70f",
        ImageType=["DERIVED", "SECONDARY", "AXIAL"],
    )
    middle = len(smooth) // 2
    with LoopbackArchive(tmp_path / "archive") as archive:
        service = make_service(tmp_path, archive.port)
        service.start()
        service.send([*derived, *sharp, *smooth[:middle], *smooth[middle + 2 :]])
        jobs = {job.state: job for job in service.wait_delivered(2)}
        pages = service.get("/left-out")
        assert service.terminate() == 0
    assert set(jobs) == {"not_analysable", "analysed"}
    assert jobs["not_analysable"].instances == len(smooth) - 2
    uid = pydicom.dcmread(sharp[0], stop_before_pixels=True).SeriesInstanceUID
    assert jobs["analysed"].SeriesInstanceUID == uid
    assert any("chosen before series" in remark for remark in jobs["analysed"].remarks)
    (out,) = left_out(service)
    assert out.SeriesInstanceUID != uid
    assert "original: original before derived" in out.problem
    assert out.problem.removeprefix("rules.best_of: ") in pages
