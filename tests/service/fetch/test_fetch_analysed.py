"""A fetched study through the real steps, with the phantom's own labels in place of the network."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pydicom
import pytest
from pydicom.uid import generate_uid

from inference.analysis import segmentation_from_labels
from inference.nifti import load_labels
from service import toolbox
from texture.cohort_data import read_cohort
from texture.features import FEATURE_KEYS


class KnownLabels:
    """A segmenter that knows the answer."""

    def __init__(self, labels: Path) -> None:
        self.labels = labels

    def segment(self, volume, progress=None):  # noqa: ARG002 - as a segmenter is called
        return segmentation_from_labels(volume, load_labels(self.labels, volume))


@pytest.fixture
def phantom_study(query_archive, small_phantom, monkeypatch):
    """Put the phantom into the archive, soft and sharp; return the UIDs of both series."""
    segmenter = KnownLabels(small_phantom / "labels.nii.gz")
    monkeypatch.setattr(toolbox, "configured_segmenter", lambda _config: segmenter)
    uids = {}
    for kernel, description in (("B30s", "Spine 1.0 soft"), ("B70s", "Spine 1.0 sharp")):
        uids[kernel] = generate_uid()
        for path in sorted((small_phantom / "dicom").iterdir()):
            ds = pydicom.dcmread(path)
            ds.SeriesInstanceUID = uids[kernel]
            ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
            ds.ConvolutionKernel, ds.SeriesDescription = kernel, description
            ds.AccessionNumber, ds.StudyDate, ds.StudyTime = "A1", "20250301", "101500"
            ds.PatientAge, ds.PatientSex, ds.PatientID = "061Y", "F", "HIS-4711"
            query_archive.add([ds])
    return uids


@pytest.mark.slow
def test_the_best_series_of_a_study_fills_the_table_that_cohort_reads(
    make_config, run_fetch, phantom_study, tmp_path
):
    (tmp_path / "list.csv").write_text("accession_number,group\nA1,benign\n")
    code, out, err = run_fetch(make_config(), "--list=list.csv", "--out=results", "--json")
    assert (code, err) == (0, "")
    report = json.loads(out)
    states = {each["series_instance_uid"]: each["state"] for each in report["series"]}
    assert states == {phantom_study["B30s"]: "analysed", phantom_study["B70s"]: "left_out"}
    with (tmp_path / "results" / "cohort.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert {row["series_instance_uid"] for row in rows} == {phantom_study["B30s"]}
    assert {(row["group"], row["age"], row["sex"]) for row in rows} == {("benign", "61", "F")}
    assert "HIS-4711" not in {row["patient_id"] for row in rows}
    assert [row["label"] for row in rows if row["fractured"] == "true"] == ["L2"]
    left_out = [each["reason"] for each in report["series"] if each["state"] == "left_out"]
    assert "of this study suits better" in left_out[0]
    _is_a_cohort(tmp_path / "results" / "cohort.csv", tmp_path / "both.csv")


def _is_a_cohort(table: Path, copy: Path) -> None:
    """Two groups of five such studies are a table that `spinenode cohort` takes."""
    head, *lines = table.read_text().splitlines()
    other = [line.replace(",benign,", ",malignant,") for line in lines]
    copy.write_text("\n".join([head, *(lines * 5), *(other * 5)]) + "\n")
    cohort = read_cohort(copy, ("benign", "malignant"), FEATURE_KEYS)
    assert len(cohort.rows) == 10
    assert cohort.rows["age"].tolist() == [61.0] * 10
