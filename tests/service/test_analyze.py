"""`spinenode analyze` as a user types it: files, exit codes, one clear line per problem."""

import csv
import json
import shutil
import sys

import numpy as np
import pydicom
import pytest
from pydicom.uid import generate_uid

from inference import CTVolume
from inference.nifti import load_labels
from service.cli import main

CONTRACT_FILES = {
    "findings.json",
    "features.csv",
    "segmentation.nii.gz",
    "bodies.nii.gz",
    "vertebrae.seg.dcm",
    "report.sr.dcm",
    "overview.sc.dcm",
    "overview.png",
    "report.pdf",
    "report.pdf.dcm",
    "key-images.ko.dcm",
}


@pytest.fixture
def spinenode(monkeypatch, capsys, tmp_path):
    """Run the command line; return exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["spinenode", *map(str, arguments)])
        with pytest.raises(SystemExit) as exit_:
            main()
        captured = capsys.readouterr()
        return exit_.value.code, captured.out, captured.err

    return run


@pytest.fixture
def series(small_phantom, tmp_path):
    """A private copy of the phantom's DICOM series, to be spoiled."""
    return shutil.copytree(small_phantom / "dicom", tmp_path / "series")


def spoil(folder, change, every=1):
    for path in sorted(folder.iterdir())[::every]:
        ds = pydicom.dcmread(path)
        change(ds)
        ds.save_as(path)


def test_with_a_mask_every_file_of_the_contract_is_written(spinenode, small_phantom, tmp_path):
    out = tmp_path / "out"
    code, stdout, stderr = spinenode(
        "analyze",
        small_phantom / "dicom",
        "--out",
        out,
        "--segmentation",
        small_phantom / "labels.nii.gz",
    )
    assert (code, stderr) == (0, "")
    assert {path.name for path in out.iterdir()} >= CONTRACT_FILES
    assert "L2" in stdout
    findings = json.loads((out / "findings.json").read_text())
    assert set(findings["timings_s"]) >= {"load", "segment", "measure", "texture", "write", "total"}
    rows = list(csv.DictReader((out / "features.csv").open()))
    assert [row["label"] for row in rows] == [v["label"] for v in findings["vertebrae"]]
    volume = CTVolume.from_dicom(small_phantom / "dicom")
    truth = load_labels(small_phantom / "labels.nii.gz", volume)
    written = load_labels(out / "segmentation.nii.gz", volume)
    assert np.array_equal(written == 21, truth == 21)
    truths = {
        v["label"]: v for v in json.loads((small_phantom / "truth.json").read_text())["vertebrae"]
    }
    fractured = {v["label"] for v in findings["vertebrae"] if v["fractured"]}
    assert fractured == {"L2"}
    for vertebra in findings["vertebrae"]:
        if vertebra["complete"]:
            expected = truths[vertebra["label"]]
            assert np.allclose(vertebra["centroid_lps_mm"], expected["centroid_lps_mm"], atol=3.0)


def test_a_nifti_gives_the_same_measurements_without_dicom_objects(
    spinenode, small_phantom, tmp_path
):
    from inference.nifti import save_volume

    volume = CTVolume.from_dicom(small_phantom / "dicom")
    ct = tmp_path / "ct.nii.gz"
    save_volume(ct, volume)
    mask = small_phantom / "labels.nii.gz"
    for source, out in ((small_phantom / "dicom", "a"), (ct, "b")):
        code, _, stderr = spinenode("analyze", source, "--out", out, "--segmentation", mask)
        assert code == 0, stderr
    first, second = (
        json.loads((tmp_path / name / "findings.json").read_text())["vertebrae"]
        for name in ("a", "b")
    )
    assert [v["features"] for v in first] == [v["features"] for v in second]
    assert [v["heights_mm"] for v in first] == [v["heights_mm"] for v in second]
    assert not list((tmp_path / "b").glob("*.dcm"))


def assert_one_line(stderr, *words):
    assert stderr.count("\n") == 1, stderr
    for word in words:
        assert word in stderr


def test_empty_folder(spinenode, tmp_path):
    (tmp_path / "empty").mkdir()
    code, _, stderr = spinenode("analyze", "empty", "--out", "out")
    assert code == 4
    assert_one_line(stderr)


def test_missing_input(spinenode):
    code, _, stderr = spinenode("analyze", "nowhere", "--out", "out")
    assert code == 2
    assert_one_line(stderr, "nowhere")


def test_text_file(spinenode, tmp_path):
    (tmp_path / "notes.txt").write_text("not an image")
    code, _, stderr = spinenode("analyze", "notes.txt", "--out", "out")
    assert code == 4
    assert_one_line(stderr, "notes.txt")


def test_truncated_file(spinenode, series):
    path = sorted(series.iterdir())[3]
    path.write_bytes(path.read_bytes()[:-900])
    code, _, stderr = spinenode("analyze", series, "--out", "out")
    assert code == 4
    assert_one_line(stderr, path.name)


def remove_pixels(ds):
    del ds.PixelData


def remove_rescale(ds):
    del ds.RescaleSlope
    del ds.RescaleIntercept


def make_mr(ds):
    ds.Modality = "MR"
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.4"


def make_localizer(ds):
    ds.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]


@pytest.mark.parametrize(
    ("change", "code_name"),
    [
        (remove_pixels, "no_pixel_data"),
        (remove_rescale, "missing_rescale"),
        (make_mr, "not_ct"),
        (make_localizer, "localizer_only"),
    ],
)
def test_understood_but_not_analysable_says_why_in_a_result(
    spinenode, series, tmp_path, change, code_name
):
    spoil(series, change)
    code, _, stderr = spinenode("analyze", series, "--out", "out")
    assert code == 3
    assert_one_line(stderr, code_name)
    findings = json.loads((tmp_path / "out" / "findings.json").read_text())
    assert findings["status"] == "not_analysable"
    assert [reason["code"] for reason in findings["reasons"]] == [code_name]
    assert findings["vertebrae"] == []
    source = pydicom.dcmread(next(series.iterdir()), stop_before_pixels=True)
    assert findings["source"]["series_instance_uid"] == source.SeriesInstanceUID
    assert findings["source"]["study_instance_uid"] == source.StudyInstanceUID


def test_a_missing_slice(spinenode, series):
    sorted(series.iterdir())[20].unlink()
    code, _, stderr = spinenode("analyze", series, "--out", "out")
    assert code == 3
    assert_one_line(stderr, "missing_slice")


def test_two_slices(spinenode, series):
    for path in sorted(series.iterdir())[2:]:
        path.unlink()
    code, _, stderr = spinenode("analyze", series, "--out", "out")
    assert code == 3
    assert_one_line(stderr, "too_few_slices")


def test_two_different_images_at_one_position(spinenode, series, tmp_path):
    path = sorted(series.iterdir())[20]
    ds = pydicom.dcmread(path)
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    ds.PixelData = bytes(len(ds.PixelData))
    ds.save_as(series / "twin.dcm")
    code, _, stderr = spinenode("analyze", series, "--out", "out")
    assert code == 3
    assert_one_line(stderr, "duplicate_slice")


def test_mixed_orientations(spinenode, series):
    def turn(ds):
        ds.ImageOrientationPatient = [0, 1, 0, 0, 0, -1]

    spoil(series, turn, every=2)
    code, _, stderr = spinenode("analyze", series, "--out", "out")
    assert code == 3
    assert_one_line(stderr, "mixed_orientations")


def test_a_mask_on_another_grid(spinenode, small_phantom, tmp_path):
    from inference.nifti import save_labels

    save_labels(tmp_path / "m.nii.gz", np.zeros((4, 4, 4), np.uint8), np.eye(4))
    code, _, stderr = spinenode(
        "analyze", small_phantom / "dicom", "--out", "out", "--segmentation", "m.nii.gz"
    )
    assert code == 4
    assert_one_line(stderr)


def test_an_empty_mask_is_not_analysable(spinenode, small_phantom, tmp_path):
    from inference.nifti import save_labels

    volume = CTVolume.from_dicom(small_phantom / "dicom")
    save_labels(tmp_path / "m.nii.gz", np.zeros(volume.shape_kji, np.uint8), volume.affine_lps)
    code, _, stderr = spinenode(
        "analyze", small_phantom / "dicom", "--out", "out", "--segmentation", "m.nii.gz"
    )
    assert code == 3
    assert_one_line(stderr, "no_vertebra")


def test_an_unknown_option_is_a_usage_error(spinenode):
    code, _, _ = spinenode("analyze", "--nonsense")
    assert code == 2


def test_help_of_every_command(spinenode):
    names = ("serve", "worker", "analyze", "demo", "phantom", "check", "jobs", "evaluate", "cohort")
    for name in (*names, "version"):
        code, stdout, _ = spinenode(name, "--help")
        assert code == 0
        assert "--help" in stdout


def test_version_names_the_weights(spinenode):
    code, stdout, _ = spinenode("version", "--json")
    facts = json.loads(stdout)
    assert code == 0
    assert len(facts["weights_sha256"]) == 64
    assert "goller2023" in facts["presets"]
