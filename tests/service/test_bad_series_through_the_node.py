"""Series that cannot be analysed, sent to the running node: it says why, and goes on serving."""

import json
from collections import Counter
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import pydicom
import pytest
from pydicom.uid import generate_uid

from node import Destination, LoopbackArchive, echo, send_files

SLICES = 10

pytestmark = pytest.mark.xdist_group("bad_series")


def no_pixel_data(datasets):
    for ds in datasets:
        del ds.PixelData
    return datasets


def short_pixel_data(datasets):
    datasets[4].PixelData = datasets[4].PixelData[:-900]
    return datasets


def no_rescale(datasets):
    for ds in datasets:
        del ds.RescaleSlope
    return datasets


def localizer(datasets):
    for ds in datasets:
        ds.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    return datasets


def missing_slice(datasets):
    return datasets[:5] + datasets[6:]


def two_slices(datasets):
    return datasets[:2]


def duplicated_slice(datasets):
    twin = deepcopy(datasets[4])
    twin.SOPInstanceUID = generate_uid()
    twin.PixelData = bytes(len(twin.PixelData))
    return [*datasets, twin]


def mixed_orientations(datasets):
    for ds in datasets[::2]:
        ds.ImageOrientationPatient = [0, 1, 0, 0, 0, -1]
    return datasets


BAD = {
    "no_pixel_data": no_pixel_data,
    "unreadable_input": short_pixel_data,
    "missing_rescale": no_rescale,
    "localizer_only": localizer,
    "missing_slice": missing_slice,
    "too_few_slices": two_slices,
    "duplicate_slice": duplicated_slice,
    "mixed_orientations": mixed_orientations,
}


@dataclass
class Sent:
    """What the node made of all bad series together."""

    studies: dict[str, str]
    reasons: dict[str, list[str]]
    states: dict[str, str]
    archived: list[pydicom.Dataset]
    stores: dict[str, int]
    still_answers: bool
    images_kept: int
    images_sent: int


def answers(node: Destination) -> bool:
    """C-ECHO; `echo` raises where it fails."""
    echo(node)
    return True


def write_series(source: Path, folder: Path, change) -> tuple[list[Path], str, str]:
    study, series = generate_uid(), generate_uid()
    datasets = [pydicom.dcmread(path) for path in sorted(source.iterdir())[:SLICES]]
    folder.mkdir()
    paths = []
    for number, ds in enumerate(change(datasets)):
        ds.StudyInstanceUID, ds.SeriesInstanceUID = study, series
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        paths.append(folder / f"{number}.dcm")
        ds.save_as(paths[-1])
    return paths, study, series


@pytest.fixture(scope="module")
def sent(make_service, small_phantom, tmp_path_factory) -> Sent:
    """Every bad series sent one after another, without waiting in between."""
    folder = tmp_path_factory.mktemp("bad-series")
    source = small_phantom / "dicom"
    studies, names, total = {}, {}, 0
    with LoopbackArchive(folder / "archive") as archive:
        service = make_service(folder, archive.port)
        service.start()
        node = Destination("node", "SPINENODE", "127.0.0.1", service.port, calling_ae_title="CT")
        for name, change in BAD.items():
            paths, study, series = write_series(source, folder / name, change)
            studies[name], names[series] = study, name
            total += len(paths)
            assert {result.outcome for result in send_files(paths, node)} == {"sent"}
        jobs = service.wait_delivered(len(BAD))
        reasons = {}
        for job in jobs:
            path = service.jobs_folder / job.id / "results" / "findings.json"
            findings = json.loads(path.read_text())
            reasons[names[job.SeriesInstanceUID]] = [r["code"] for r in findings["reasons"]]
        result = Sent(
            studies=studies,
            reasons=reasons,
            states={names[job.SeriesInstanceUID]: job.state for job in jobs},
            archived=[pydicom.dcmread(path) for path in archive.folder.glob("*.dcm")],
            stores=dict(archive.stores),
            still_answers=answers(node),
            images_kept=len(list((folder / "spool").rglob("*.dcm"))),
            images_sent=total,
        )
        service.terminate()
    return result


@pytest.mark.parametrize("name", sorted(BAD))
def test_each_bad_series_gets_one_job_that_names_the_reason(sent, name):
    assert sent.states[name] == "not_analysable"
    assert sent.reasons[name] == [name]


@pytest.mark.parametrize("name", sorted(BAD))
def test_the_archive_gets_a_report_in_the_study_and_no_mask(sent, name):
    own = [ds for ds in sent.archived if ds.StudyInstanceUID == sent.studies[name]]
    modalities = Counter(ds.Modality for ds in own)
    assert modalities["SR"] >= 1
    assert modalities["SEG"] == 0
    assert all(sent.stores[ds.SOPInstanceUID] == 1 for ds in own)


def test_nothing_is_lost_and_the_node_still_answers(sent):
    assert sent.still_answers
    assert sent.images_kept >= sent.images_sent
