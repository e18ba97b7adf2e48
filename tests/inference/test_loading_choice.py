"""Which objects and slices of a folder become the volume, and what is said about the others."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom.uid import (
    ComprehensiveSRStorage,
    CTImageStorage,
    MRImageStorage,
    SecondaryCaptureImageStorage,
)

from inference.errors import NotAnalysable
from inference.loading import load_dicom


def refusal(truth, folder):
    truth.write(folder)
    with pytest.raises(NotAnalysable) as caught:
        load_dicom(folder)
    assert "\n" not in caught.value.text
    assert caught.value.text
    return caught.value


def codes(volume):
    return [notice.code for notice in volume.warnings]


def test_marked_localizer_is_dropped_whatever_its_size(ct_series, tmp_path):
    truth = ct_series.axial()
    scout = ct_series.single(ct_series.Recipe(orientation="coronal", shape_kji=(1, 30, 40)))
    for ds in scout.datasets:
        ds.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
        ds.SeriesInstanceUID = truth.datasets[0].SeriesInstanceUID
        ds.StudyInstanceUID = truth.datasets[0].StudyInstanceUID
    truth.datasets += scout.datasets
    truth.write(tmp_path)
    volume = load_dicom(tmp_path)
    np.testing.assert_array_equal(volume.hu, truth.hu)
    assert codes(volume) == ["localizer_dropped"]


def test_unmarked_scout_is_dropped_by_its_orientation(ct_series, tmp_path):
    """A scout without ImageType must not change spacing or geometry."""
    truth = ct_series.axial(shape_kji=(20, 12, 14))
    scout = ct_series.single(ct_series.Recipe(orientation="sagittal", shape_kji=(1, 30, 40)))
    for keyword in ("SeriesInstanceUID", "StudyInstanceUID", "FrameOfReferenceUID"):
        scout.datasets[0][keyword] = truth.datasets[0][keyword]
    truth.datasets += scout.datasets
    truth.write(tmp_path)
    volume = load_dicom(tmp_path)
    np.testing.assert_array_equal(volume.hu, truth.hu)
    assert volume.spacing_kji_mm == pytest.approx((2.5, 0.8, 0.7))
    assert codes(volume) == ["localizer_dropped"]


def test_localizer_only(ct_series, tmp_path):
    truth = ct_series.axial(extra={"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]})
    assert refusal(truth, tmp_path).code == "localizer_only"


def test_localizer_frames_of_a_multi_frame_object_only(ct_series, tmp_path):
    truth = ct_series.enhanced(ct_series.Recipe())
    truth.datasets[0].ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER", "NONE"]
    assert refusal(truth, tmp_path).code == "localizer_only"


def test_two_volumes_are_refused_with_their_counts(ct_series, tmp_path):
    truth = ct_series.axial(shape_kji=(9, 6, 6))
    truth.datasets += ct_series.axial(shape_kji=(12, 6, 6)).datasets
    refused = refusal(truth, tmp_path)
    assert refused.code == "mixed_series"
    assert "2 CT series" in refused.text
    assert {"9", "12"} <= set(refused.text.replace(",", "").split())


def test_the_one_ct_volume_among_other_objects_is_chosen(ct_series, tmp_path):
    """A scout series, an MR image and a report beside the volume are left out and counted."""
    truth = ct_series.axial()
    scout = ct_series.axial(shape_kji=(2, 20, 20)).datasets
    mr = ct_series.axial(shape_kji=(9, 6, 6), extra={"Modality": "MR"}).datasets
    for ds in mr:
        ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = MRImageStorage
    report = ct_series.axial(shape_kji=(1, 6, 6), extra={"Modality": "SR"}).datasets[0]
    report.SOPClassUID = report.file_meta.MediaStorageSOPClassUID = ComprehensiveSRStorage
    for keyword in ("PixelData", "Rows", "Columns", "BitsAllocated"):
        del report[keyword]
    truth.datasets += [*scout, *mr, report]
    truth.write(tmp_path)
    volume = load_dicom(tmp_path)
    np.testing.assert_array_equal(volume.hu, truth.hu)
    assert codes(volume) == ["other_objects_ignored"]
    assert volume.warnings[0].text.startswith("12 object(s)")


@pytest.mark.parametrize(
    ("sop_class", "modality"),
    [
        (MRImageStorage, "MR"),
        (SecondaryCaptureImageStorage, "CT"),
        (CTImageStorage, "MR"),
    ],
)
def test_not_ct(ct_series, tmp_path, sop_class, modality):
    truth = ct_series.axial(extra={"Modality": modality})
    for ds in truth.datasets:
        ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = sop_class
    refused = refusal(truth, tmp_path)
    assert refused.code == "not_ct"
    assert f"Modality {modality}" in refused.text


def test_several_stacks(ct_series, tmp_path):
    truth = ct_series.enhanced(ct_series.Recipe(shape_kji=(20, 6, 6)))
    items = truth.datasets[0].PerFrameFunctionalGroupsSequence
    for item in items[10:]:
        item.FrameContentSequence[0].StackID = "2"
    refused = refusal(truth, tmp_path / "equal")
    assert refused.code == "several_stacks"
    assert "2 stacks" in refused.text

    for item in items[10:17]:
        item.FrameContentSequence[0].StackID = "1"
    truth.write(tmp_path / "one_small")
    volume = load_dicom(tmp_path / "one_small")
    assert volume.shape_kji[0] == 17
    assert codes(volume) == ["other_stacks_ignored"]


def test_files_that_are_no_dicom_are_ignored_with_a_warning(ct_series, tmp_path):
    truth = ct_series.axial()
    truth.write(tmp_path)
    (tmp_path / "README.txt").write_text("exported by a workstation")
    (tmp_path / "DICOMDIR").write_bytes(b"\0" * 128 + b"DICM" + b"\0" * 40)
    (tmp_path / "._IM0001.dcm").write_bytes(b"\x00\x05\x16\x07" + b"\0" * 200)
    volume = load_dicom(tmp_path)
    np.testing.assert_array_equal(volume.hu, truth.hu)
    assert codes(volume) == ["non_dicom_ignored"]
    assert volume.warnings[0].text.startswith("3 file(s)")
