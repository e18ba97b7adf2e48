"""What the gate refuses, with its code, and what it accepts with a warning."""

from __future__ import annotations

import copy
import re

import numpy as np
import pytest
from pydicom.uid import generate_uid

from inference.errors import NotAnalysable
from inference.loading import load_dicom


def refusal(truth, folder):
    truth.write(folder)
    with pytest.raises(NotAnalysable) as caught:
        load_dicom(folder)
    assert "\n" not in caught.value.text
    assert caught.value.text
    assert not re.search(r"\([0-9A-F]{4},[0-9A-F]{4}\)", caught.value.text)
    return caught.value


def codes(volume):
    return [notice.code for notice in volume.warnings]


def move(ds, dx=0.0, dy=0.0, dz=0.0):
    x, y, z = (float(v) for v in ds.ImagePositionPatient)
    ds.ImagePositionPatient = [f"{x + dx:.6f}", f"{y + dy:.6f}", f"{z + dz:.6f}"]


def new_instance(ds):
    copied = copy.deepcopy(ds)
    copied.SOPInstanceUID = copied.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    return copied


def test_missing_slice_is_named(ct_series, tmp_path):
    truth = ct_series.axial(shape_kji=(20, 6, 6))
    del truth.datasets[7]
    refused = refusal(truth, tmp_path)
    assert refused.code == "missing_slice"
    assert "1 slice(s) missing in 1 gap(s)" in refused.text
    assert "between 215.00 and 220.00 mm" in refused.text


def test_several_gaps_are_counted(ct_series, tmp_path):
    truth = ct_series.axial(shape_kji=(30, 6, 6))
    for k in (20, 12, 11):
        del truth.datasets[k]
    refused = refusal(truth, tmp_path)
    assert refused.code == "missing_slice"
    assert "3 slice(s) missing in 2 gap(s)" in refused.text


@pytest.mark.parametrize("orientation", ["sagittal", "coronal", "oblique"])
def test_missing_slice_in_other_orientations(ct_series, tmp_path, orientation):
    truth = ct_series.single(ct_series.Recipe(orientation=orientation, shape_kji=(12, 6, 6)))
    del truth.datasets[5]
    assert refusal(truth, tmp_path).code == "missing_slice"


def test_missing_frame_of_a_multi_frame_object(ct_series, tmp_path):
    order = [k for k in range(14) if k != 6]
    truth = ct_series.enhanced(ct_series.Recipe(shape_kji=(14, 6, 6)), order)
    truth.datasets[0].NumberOfFrames = 13
    assert refusal(truth, tmp_path).code == "missing_slice"


def test_irregular_spacing(ct_series, tmp_path):
    truth = ct_series.axial()
    move(truth.datasets[4], dz=0.8)
    refused = refusal(truth, tmp_path)
    assert refused.code == "irregular_spacing"
    assert "1.700 to 3.300 mm" in refused.text


def test_spacing_that_changes_half_way(ct_series, tmp_path):
    truth = ct_series.axial(shape_kji=(20, 6, 6))
    for k in range(10, 20):
        move(truth.datasets[k], dz=(k - 9) * 1.25)
    assert refusal(truth, tmp_path).code == "irregular_spacing"


def test_identical_duplicate_is_dropped(ct_series, tmp_path):
    truth = ct_series.axial()
    truth.datasets.append(new_instance(truth.datasets[3]))
    truth.datasets.append(truth.datasets[8])
    truth.write(tmp_path)
    volume = load_dicom(tmp_path)
    np.testing.assert_array_equal(volume.hu, truth.hu)
    assert codes(volume) == ["duplicate_slice_dropped"]
    assert volume.warnings[0].text.startswith("2 identical")


def test_duplicate_with_other_pixels_is_refused(ct_series, tmp_path):
    """Two phases or two reconstructions in one series: nobody knows which one is meant."""
    truth = ct_series.axial()
    other = new_instance(truth.datasets[3])
    other.PixelData = other.PixelData[2:] + other.PixelData[:2]
    truth.datasets.append(other)
    assert refusal(truth, tmp_path).code == "duplicate_slice"


def test_duplicate_with_other_rescale_is_refused(ct_series, tmp_path):
    """Equal bytes are not equal HU."""
    truth = ct_series.axial()
    other = new_instance(truth.datasets[3])
    other.RescaleIntercept = "-1000"
    truth.datasets.append(other)
    assert refusal(truth, tmp_path).code == "duplicate_slice"


def test_same_level_shifted_in_plane_is_refused(ct_series, tmp_path):
    truth = ct_series.axial()
    other = new_instance(truth.datasets[3])
    move(other, dx=4.0)
    truth.datasets.append(other)
    assert refusal(truth, tmp_path).code == "duplicate_slice"


def test_all_slices_at_one_position(ct_series, tmp_path):
    truth = ct_series.axial()
    for ds in truth.datasets:
        ds.ImagePositionPatient = truth.datasets[0].ImagePositionPatient
    assert refusal(truth, tmp_path).code == "duplicate_slice"


@pytest.mark.parametrize("degrees", [1.0, 12.0, -20.0])
def test_gantry_tilt_names_the_angle(ct_series, tmp_path, degrees):
    truth = ct_series.axial()
    for k, ds in enumerate(truth.datasets):
        move(ds, dy=k * 2.5 * np.tan(np.deg2rad(degrees)))
    refused = refusal(truth, tmp_path)
    assert refused.code == "gantry_tilt"
    assert f"{abs(degrees):.1f} degrees" in refused.text


def test_tilted_orientation_with_vertical_table_feed(ct_series, tmp_path):
    """How scanners write tilt: tilted cosines, positions along the table."""
    truth = ct_series.axial()
    c, s = np.cos(np.deg2rad(15)), np.sin(np.deg2rad(15))
    for ds in truth.datasets:
        ds.ImageOrientationPatient = [1, 0, 0, 0, f"{c:.8f}", f"{-s:.8f}"]
    refused = refusal(truth, tmp_path)
    assert refused.code == "gantry_tilt"
    assert "15.0 degrees" in refused.text


def test_one_slice_shifted_in_plane(ct_series, tmp_path):
    truth = ct_series.axial()
    move(truth.datasets[5], dx=1.5)
    assert refusal(truth, tmp_path).code == "shifted_slices"


@pytest.mark.parametrize("count", [1, 2, 7])
def test_too_few_slices(ct_series, tmp_path, count):
    refused = refusal(ct_series.axial(shape_kji=(count, 8, 8)), tmp_path)
    assert refused.code == "too_few_slices"
    assert refused.text.startswith(f"{count} slice(s)")


@pytest.mark.parametrize(
    ("keyword", "value"), [("Rows", 8), ("PixelSpacing", [0.9, 0.7])], ids=["Rows", "PixelSpacing"]
)
def test_mixed_sizes(ct_series, tmp_path, keyword, value):
    truth = ct_series.axial()
    setattr(truth.datasets[2], keyword, value)
    refused = refusal(truth, tmp_path)
    assert refused.code == "mixed_sizes"
    assert keyword in refused.text


def test_mixed_orientations(ct_series, tmp_path):
    """Angled lumbar stacks in one series are more than one volume."""
    truth = ct_series.axial(shape_kji=(20, 6, 6))
    c, s = np.cos(np.deg2rad(8)), np.sin(np.deg2rad(8))
    for ds in truth.datasets[10:]:
        ds.ImageOrientationPatient = [1, 0, 0, 0, f"{c:.8f}", f"{s:.8f}"]
    refused = refusal(truth, tmp_path)
    assert refused.code == "mixed_orientations"
    assert "ImageOrientationPatient" in refused.text


def test_colour_images_are_no_ct(ct_series, tmp_path):
    assert refusal(ct_series.axial(extra={"SamplesPerPixel": 3}), tmp_path).code == "not_ct"


def test_no_pixel_data(ct_series, tmp_path):
    truth = ct_series.axial()
    for ds in truth.datasets:
        del ds["PixelData"]
    refused = refusal(truth, tmp_path)
    assert refused.code == "no_pixel_data"
    assert "10 of 10" in refused.text


@pytest.mark.parametrize("keyword", ["RescaleSlope", "RescaleIntercept"])
def test_missing_rescale(ct_series, tmp_path, keyword):
    truth = ct_series.axial()
    del truth.datasets[4][keyword]
    refused = refusal(truth, tmp_path)
    assert refused.code == "missing_rescale"
    assert refused.text.startswith("1 of 10")
    assert keyword in refused.text


def test_rescale_slope_of_zero(ct_series, tmp_path):
    truth = ct_series.axial(extra={"RescaleSlope": "0"})
    assert refusal(truth, tmp_path).code == "missing_rescale"


def test_rescale_to_another_unit(ct_series, tmp_path):
    """Iodine maps of dual-energy scanners are CT images in mg/ml."""
    truth = ct_series.axial(extra={"RescaleType": "MGML"})
    assert refusal(truth, tmp_path).code == "not_hounsfield"


def test_unspecified_rescale_type_is_reported(ct_series, tmp_path):
    ct_series.axial(extra={"RescaleType": "US"}).write(tmp_path)
    assert codes(load_dicom(tmp_path)) == ["rescale_type_unspecified"]


@pytest.mark.parametrize(
    "keyword", ["ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"]
)
def test_no_geometry(ct_series, tmp_path, keyword):
    truth = ct_series.axial()
    for ds in truth.datasets[:3]:
        del ds[keyword]
    refused = refusal(truth, tmp_path)
    assert refused.code == "no_geometry"
    assert keyword in refused.text
    assert "3 of 10" in refused.text


@pytest.mark.parametrize(
    "cosines", [[1, 0, 0, 1, 0, 0], [0, 0, 0, 0, 0, 0], [2, 0, 0, 0, 2, 0], [1, 0, 0, 0.3, 0.9, 0]]
)
def test_orientation_that_is_none(ct_series, tmp_path, cosines):
    truth = ct_series.axial(extra={"ImageOrientationPatient": cosines})
    assert refusal(truth, tmp_path).code == "no_geometry"


def test_multi_frame_without_functional_groups(ct_series, tmp_path):
    truth = ct_series.enhanced(ct_series.Recipe())
    del truth.datasets[0]["PerFrameFunctionalGroupsSequence"]
    assert refusal(truth, tmp_path).code == "no_geometry"


@pytest.mark.parametrize("spacing", [[0.0, 0.7], [0.01, 0.01], [25.0, 25.0]])
def test_absurd_pixel_spacing(ct_series, tmp_path, spacing):
    truth = ct_series.axial(extra={"PixelSpacing": spacing})
    assert refusal(truth, tmp_path).code == "limits"


@pytest.mark.parametrize(("keyword", "value"), [("Rows", 60000), ("NumberOfFrames", 2_000_000)])
def test_absurd_sizes(ct_series, tmp_path, keyword, value):
    truth = ct_series.axial(extra={keyword: value})
    refused = refusal(truth, tmp_path)
    assert refused.code == "limits"
    assert str(value) in refused.text


def test_mixed_frames_of_reference(ct_series, tmp_path):
    truth = ct_series.axial()
    truth.datasets[-1].FrameOfReferenceUID = generate_uid()
    assert refusal(truth, tmp_path).code == "mixed_frames_of_reference"
