from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from inference.loading import load_dicom, load_files

SINGLE = ("axial", "sagittal", "coronal", "prone", "coronal_from_behind", "oblique")


def assert_is_truth(volume, truth, ct_series):
    """Same voxels at the same patient coordinates, and HU equal to the field at them."""
    np.testing.assert_array_equal(volume.hu, truth.hu)
    np.testing.assert_allclose(volume.affine_lps, truth.affine_lps, atol=1e-6)
    at_voxels = ct_series.field_hu(ct_series.lps_grid(volume.affine_lps, volume.shape_kji))
    assert np.abs(at_voxels.astype(int) - volume.hu).max() <= 1
    assert volume.hu.dtype == np.int16


@pytest.mark.parametrize("orientation", SINGLE)
@pytest.mark.parametrize("order", ["ascending", "descending", "shuffled"])
def test_single_frame_series_in_any_orientation_and_file_order(
    ct_series, tmp_path, orientation, order
):
    """Voxels, patient coordinates and sources are those of the phantom, whatever the names."""
    truth = ct_series.single(ct_series.Recipe(orientation=orientation))
    n = len(truth.datasets)
    orders = {"ascending": range(n), "descending": range(n)[::-1], "shuffled": None}
    truth.write(tmp_path, orders[order])

    volume = load_dicom(tmp_path)

    assert_is_truth(volume, truth, ct_series)
    assert volume.warnings == ()
    uids = [frame.SOPInstanceUID for frame in volume.source.frames]
    assert uids == [ds.SOPInstanceUID for ds in truth.datasets]
    assert all(frame.frame_number is None for frame in volume.source.frames)
    stated = [frame.ImagePositionPatient for frame in volume.source.frames]
    assert stated == [tuple(ds.ImagePositionPatient) for ds in truth.datasets]


@pytest.mark.parametrize("orientation", SINGLE)
def test_multi_frame_object_in_any_frame_order(ct_series, tmp_path, orientation):
    """Frames are sorted by position, and each k names its 1-based frame number."""
    order = np.random.default_rng(3).permutation(10)
    truth = ct_series.enhanced(ct_series.Recipe(orientation=orientation), order)
    (path,) = truth.write(tmp_path)

    volume = load_dicom(path)

    assert_is_truth(volume, truth, ct_series)
    assert [frame.frame_number for frame in volume.source.frames] == [
        list(order).index(k) + 1 for k in range(10)
    ]
    stated = [frame.ImagePositionPatient for frame in volume.source.frames]
    np.testing.assert_allclose(stated, [volume.to_lps_mm((k, 0, 0)) for k in range(10)], atol=1e-3)
    assert volume.source.SOPClassUID == "1.2.840.10008.5.1.4.1.1.2.1"


def test_k_ascends_along_the_slice_normal(ct_series, tmp_path):
    """Row x column is the direction of k: the frame of (k, j, i) is left-handed."""
    for number, orientation in enumerate(SINGLE):
        truth = ct_series.single(ct_series.Recipe(orientation=orientation))
        truth.write(tmp_path / str(number))
        affine = load_dicom(tmp_path / str(number)).affine_lps
        normal = np.cross(affine[:3, 2], affine[:3, 1])
        assert normal @ affine[:3, 0] > 0


def test_files_in_sub_folders_and_a_file_list_read_alike(ct_series, tmp_path):
    truth = ct_series.axial()
    paths = truth.write(tmp_path / "all")
    for number, path in enumerate(paths):
        target = tmp_path / "split" / f"part{number % 2}" / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    np.testing.assert_array_equal(load_dicom(tmp_path / "split").hu, truth.hu)
    np.testing.assert_array_equal(load_files(paths[::-1]).hu, truth.hu)


def test_a_sagittal_reformat_is_read_on_its_own_grid(ct_series, tmp_path):
    truth = ct_series.single(
        ct_series.Recipe(orientation="sagittal", spacing_kji_mm=(3.0, 0.5, 0.5))
    )
    for ds in truth.datasets:
        ds.ImageType = ["DERIVED", "SECONDARY", "REFORMATTED"]
    truth.write(tmp_path)
    volume = load_dicom(tmp_path)
    assert_is_truth(volume, truth, ct_series)
    assert volume.spacing_kji_mm == pytest.approx((3.0, 0.5, 0.5))


def test_positions_rounded_to_a_tenth_of_a_millimetre_pass(ct_series, tmp_path):
    """0.625 mm slices written as 0.6, 1.3, 1.9 ... lie on one grid."""
    recipe = ct_series.Recipe(shape_kji=(33, 6, 6), spacing_kji_mm=(0.625, 0.8, 0.8))
    truth = ct_series.single(recipe)
    for ds in truth.datasets:
        ds.ImagePositionPatient = [f"{float(v):.1f}" for v in ds.ImagePositionPatient]
    truth.write(tmp_path)
    volume = load_dicom(tmp_path)
    assert volume.spacing_kji_mm[0] == pytest.approx(0.625, abs=0.003)


def test_the_affine_reaches_the_last_slice_when_a_small_tilt_is_tolerated(ct_series, tmp_path):
    """A tenth of a degree over the stack must not add up to a shift."""
    truth = ct_series.axial(shape_kji=(40, 6, 6))
    for k, ds in enumerate(truth.datasets):
        x, y, z = (float(v) for v in ds.ImagePositionPatient)
        ds.ImagePositionPatient = [x, f"{y + k * 2.5 * np.tan(np.deg2rad(0.1)):.6f}", z]
    truth.write(tmp_path)
    volume = load_dicom(tmp_path)
    last = [float(v) for v in truth.datasets[-1].ImagePositionPatient]
    np.testing.assert_allclose(volume.to_lps_mm((39, 0, 0)), last, atol=1e-4)


def test_sparse_headers_are_enough(ct_series, tmp_path):
    """Manufacturer, kernel, kVp, FrameOfReferenceUID and ImageType may be absent."""
    truth = ct_series.axial()
    for ds in truth.datasets:
        for keyword in ("FrameOfReferenceUID", "ImageType", "SliceThickness", "HighBit"):
            del ds[keyword]
        ds.KVP = None
        ds.Manufacturer = ""
    truth.write(tmp_path)
    volume = load_dicom(tmp_path)
    assert_is_truth(volume, truth, ct_series)
    assert volume.source.acquisition.KVP is None
    assert volume.source.acquisition.Manufacturer is None
    assert volume.source.FrameOfReferenceUID is None


def test_acquisition_attributes_are_read_from_both_kinds_of_object(ct_series, tmp_path):
    from pydicom.dataset import Dataset
    from pydicom.sequence import Sequence

    single = ct_series.axial(
        extra={"Manufacturer": "Maker", "KVP": "120", "ConvolutionKernel": ["B30f", "2"]}
    )
    single.write(tmp_path / "single")
    acquisition = load_dicom(tmp_path / "single").source.acquisition
    assert (acquisition.Manufacturer, acquisition.KVP) == ("Maker", 120.0)
    assert acquisition.ConvolutionKernel == "B30f\\2"
    assert acquisition.SliceThickness == 2.5

    enhanced = ct_series.enhanced(ct_series.Recipe())
    x_ray, reconstruction = Dataset(), Dataset()
    x_ray.KVP = 100.0
    reconstruction.ConvolutionKernel = "BONE"
    shared = enhanced.datasets[0].SharedFunctionalGroupsSequence[0]
    shared.CTXRayDetailsSequence = Sequence([x_ray])
    shared.CTReconstructionSequence = Sequence([reconstruction])
    (path,) = enhanced.write(tmp_path / "enhanced")
    acquisition = load_dicom(path).source.acquisition
    assert (acquisition.KVP, acquisition.ConvolutionKernel) == (100.0, "BONE")
    assert acquisition.SliceThickness == 2.5


def test_thin_slices_far_apart_are_reported(ct_series, tmp_path):
    truth = ct_series.axial(extra={"SliceThickness": "1.0"})
    truth.write(tmp_path)
    assert [notice.code for notice in load_dicom(tmp_path).warnings] == ["slice_gap"]


def test_a_tilt_that_only_the_header_knows_is_reported(ct_series, tmp_path):
    ct_series.axial(extra={"GantryDetectorTilt": "-12.5"}).write(tmp_path)
    assert [notice.code for notice in load_dicom(tmp_path).warnings] == ["gantry_tilt_in_header"]


@pytest.mark.parametrize(
    ("name", "shape_kji", "spacing_kji_mm"),
    [
        ("crlm_1004", (41, 512, 512), (5.0, 0.796875, 0.796875)),
        ("matrad_pat001", (168, 217, 217), (2.5, 3.0, 3.0)),
    ],
)
def test_real_series_agree_with_pydicom(real_data, name, shape_kji, spacing_kji_mm):
    """HU equal pydicom's own modality LUT, position equals the header, slice by slice."""
    from pydicom import dcmread
    from pydicom.pixels import apply_modality_lut

    volume = load_dicom(real_data / "dicom" / name)

    assert volume.shape_kji == shape_kji
    assert volume.spacing_kji_mm == pytest.approx(spacing_kji_mm)
    assert volume.warnings == ()
    for k in range(0, shape_kji[0], 13):
        ds = dcmread(volume.source.frames[k].path)
        np.testing.assert_allclose(volume.to_lps_mm((k, 0, 0)), ds.ImagePositionPatient, atol=1e-3)
        expected = np.rint(apply_modality_lut(ds.pixel_array, ds))
        if "PixelPaddingValue" in ds:
            expected[ds.pixel_array == ds.PixelPaddingValue] = -1024
        np.testing.assert_array_equal(volume.hu[k], expected)


def test_the_enhanced_and_the_single_frame_form_of_one_scan_are_equal(ct_series, tmp_path):
    recipe = replace(ct_series.Recipe(orientation="oblique"), intercepts=(-1000.0, -1024.0))
    ct_series.single(recipe).write(tmp_path / "single")
    ct_series.enhanced(recipe).write(tmp_path / "enhanced")
    one, other = load_dicom(tmp_path / "single"), load_dicom(tmp_path / "enhanced")
    np.testing.assert_array_equal(one.hu, other.hu)
    np.testing.assert_allclose(one.affine_lps, other.affine_lps, atol=1e-6)
