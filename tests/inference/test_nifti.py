from __future__ import annotations

from itertools import permutations, product

import nibabel as nib
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from inference.errors import NotAnalysable, UnreadableInput
from inference.loading import load_dicom
from inference.nifti import load_labels, load_nifti, save_labels, save_volume

RAS_FROM_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def ras_affine(axes=(0, 1, 2), signs=(1, 1, 1), rotation=None):
    affine = np.eye(4)
    directions = np.zeros((3, 3))
    for array_axis, (patient_axis, sign) in enumerate(zip(axes, signs, strict=True)):
        directions[patient_axis, array_axis] = sign * (0.7, 0.8, 2.5)[array_axis]
    affine[:3, :3] = directions if rotation is None else rotation @ directions
    affine[:3, 3] = (12.0, -30.0, 200.0)
    return affine


def field_in_ras(affine, shape_ijk, ct_series):
    """HU of the LPS field on a RAS grid: negate x and y."""
    index = np.moveaxis(np.indices(shape_ijk), 0, -1)
    ras = index @ affine[:3, :3].T + affine[:3, 3]
    return ct_series.field_hu(ras * (-1, -1, 1))


def write(path, array, affine, **header):
    image = nib.Nifti1Image(array, affine)
    for key, value in header.items():
        image.header[key] = value
    nib.save(image, path)
    return path


@pytest.mark.parametrize("axes", list(permutations(range(3))))
def test_every_axis_order_keeps_voxels_at_their_patient_coordinates(ct_series, tmp_path, axes):
    """hu[k, j, i] is file voxel (i, j, k), and its LPS coordinate has the field's HU."""
    for signs in product((1, -1), repeat=3):
        affine = ras_affine(axes, signs)
        array = field_in_ras(affine, (9, 10, 11), ct_series)
        volume = load_nifti(write(tmp_path / "ct.nii", array, affine))
        np.testing.assert_array_equal(volume.hu, array.transpose(2, 1, 0))
        at_voxels = ct_series.field_hu(ct_series.lps_grid(volume.affine_lps, volume.shape_kji))
        assert np.abs(at_voxels.astype(int) - volume.hu).max() <= 1
        assert volume.hu.dtype == np.int16
        assert volume.source.frames == ()


def test_oblique_volume(ct_series, tmp_path):
    rotation = Rotation.from_euler("xyz", (17, -11, 23), degrees=True).as_matrix()
    affine = ras_affine(rotation=rotation)
    array = field_in_ras(affine, (9, 10, 11), ct_series)
    volume = load_nifti(write(tmp_path / "ct.nii.gz", array, affine))
    at_voxels = ct_series.field_hu(ct_series.lps_grid(volume.affine_lps, volume.shape_kji))
    assert np.abs(at_voxels.astype(int) - volume.hu).max() <= 1
    assert volume.spacing_kji_mm == pytest.approx((2.5, 0.8, 0.7), abs=1e-5)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_dicom_saved_as_nifti_reads_back_the_same(ct_series, tmp_path, suffix):
    truth = ct_series.single(ct_series.Recipe(orientation="oblique"))
    truth.write(tmp_path / "dicom")
    volume = load_dicom(tmp_path / "dicom")
    path = tmp_path / f"ct{suffix}"
    save_volume(path, volume)
    again = load_nifti(path)
    np.testing.assert_array_equal(again.hu, volume.hu)
    np.testing.assert_allclose(again.affine_lps, volume.affine_lps, atol=1e-4)


@pytest.mark.parametrize("signs", [(1, 1, 1), (-1, 1, 1), (-1, -1, 1), (1, -1, -1)])
def test_saved_labels_have_the_shape_and_affine_of_the_nifti_input(tmp_path, signs):
    affine = ras_affine((1, 2, 0), signs)
    path = write(tmp_path / "ct.nii.gz", np.zeros((9, 10, 11), np.int16), affine)
    volume = load_nifti(path)
    labels = np.zeros(volume.shape_kji, np.uint8)
    labels[2, 3, 4] = 20
    save_labels(tmp_path / "labels.nii.gz", labels, volume.affine_lps)

    saved = nib.load(tmp_path / "labels.nii.gz")
    assert saved.shape == (9, 10, 11)
    assert saved.get_data_dtype() == np.uint8
    np.testing.assert_array_equal(saved.affine, nib.load(path).affine)
    np.testing.assert_allclose(saved.get_qform(), affine, atol=1e-5)
    assert (int(saved.header["sform_code"]), int(saved.header["qform_code"])) == (1, 1)
    assert np.asarray(saved.dataobj)[4, 3, 2] == 20
    np.testing.assert_array_equal(load_labels(tmp_path / "labels.nii.gz", volume), labels)


def test_float_data_are_rounded_and_nan_becomes_air(tmp_path):
    array = np.full((9, 9, 9), 99.6, np.float32)
    array[1, 2, 3] = np.nan
    array[0, 0, 0] = 1e9
    array[0, 0, 1] = -np.inf
    volume = load_nifti(write(tmp_path / "ct.nii", array, ras_affine()))
    assert volume.hu[5, 5, 5] == 100
    assert volume.hu[3, 2, 1] == -1024
    assert volume.hu[0, 0, 0] == 32767
    assert volume.hu[1, 0, 0] == -32768
    assert [notice.code for notice in volume.warnings] == ["nan_replaced"]
    assert volume.warnings[0].text.startswith("1 voxel")


def test_scl_slope_and_inter_are_honoured(tmp_path):
    image = nib.Nifti1Image(np.zeros((9, 9, 9), np.uint16), ras_affine())
    image.header.set_slope_inter(0.5, -1024)
    image = nib.Nifti1Image(np.full((9, 9, 9), 276.0), ras_affine(), image.header)
    image.set_data_dtype(np.uint16)
    nib.save(image, tmp_path / "ct.nii")
    assert (load_nifti(tmp_path / "ct.nii").hu == 276).all()


def test_big_endian_and_unsigned_files(tmp_path):
    array = np.arange(729, dtype=np.int16).reshape(9, 9, 9)
    header = nib.Nifti1Header(endianness=">")
    header.set_data_dtype(">i2")
    nib.save(nib.Nifti1Image(array, ras_affine(), header), tmp_path / "big.nii")
    big = load_nifti(tmp_path / "big.nii").hu
    np.testing.assert_array_equal(big, array.T)
    assert big.dtype.isnative
    path = write(tmp_path / "unsigned.nii", array.astype(np.uint16), ras_affine())
    np.testing.assert_array_equal(load_nifti(path).hu, array.T)


def test_a_trailing_axis_of_one_is_no_fourth_dimension(tmp_path):
    array = np.arange(729, dtype=np.int16).reshape(9, 9, 9)
    path = write(tmp_path / "ct.nii", array[..., None], ras_affine())
    np.testing.assert_array_equal(load_nifti(path).hu, array.T)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((9, 9), np.int16),
        np.zeros((9, 9, 9, 2), np.int16),
        np.zeros((9, 9, 9), np.complex64),
        np.zeros((9, 9, 9), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")]),
    ],
    ids=["2-D", "4-D", "complex", "RGB"],
)
def test_what_is_no_scalar_3d_image_is_refused(tmp_path, array):
    path = write(tmp_path / "ct.nii", array, ras_affine())
    with pytest.raises(UnreadableInput, match=r"ct\.nii"):
        load_nifti(path)


def test_damaged_files(tmp_path):
    array = np.random.default_rng(0).integers(-1000, 1000, (9, 9, 9)).astype(np.int16)
    for suffix in (".nii", ".nii.gz"):
        path = write(tmp_path / f"ct{suffix}", array, ras_affine())
        sound = path.read_bytes()
        for length in (0, 10, 200, 340, len(sound) // 2, len(sound) - 20):
            path.write_bytes(sound[:length])
            with pytest.raises(UnreadableInput):
                load_nifti(path)
    (tmp_path / "text.nii.gz").write_text("no image")
    for name in ("text.nii.gz", "absent.nii.gz"):
        with pytest.raises(UnreadableInput):
            load_nifti(tmp_path / name)


def test_unknown_orientation_is_refused(tmp_path):
    """Without sform and qform left and right cannot be told apart."""
    image = nib.Nifti1Image(np.zeros((9, 9, 9), np.int16), None)
    image.set_sform(None, code=0)
    image.set_qform(None, code=0)
    nib.save(image, tmp_path / "ct.nii")
    with pytest.raises(NotAnalysable) as caught:
        load_nifti(tmp_path / "ct.nii")
    assert caught.value.code == "no_geometry"


def test_sheared_grid_is_refused(tmp_path):
    affine = ras_affine()
    affine[1, 2] = 2.5 * np.tan(np.deg2rad(15))
    with pytest.raises(NotAnalysable) as caught:
        load_nifti(write(tmp_path / "ct.nii", np.zeros((9, 9, 9), np.int16), affine))
    assert caught.value.code == "sheared_grid"
    assert "15.0 degrees" in caught.value.text


def test_two_slices_are_too_few(tmp_path):
    path = write(tmp_path / "ct.nii", np.zeros((64, 64, 2), np.int16), ras_affine())
    with pytest.raises(NotAnalysable) as caught:
        load_nifti(path)
    assert caught.value.code == "too_few_slices"


@pytest.fixture
def volume_and_labels(tmp_path):
    volume = load_nifti(
        write(tmp_path / "ct.nii", np.zeros((9, 10, 11), np.int16), ras_affine((0, 2, 1)))
    )
    labels = np.random.default_rng(1).integers(0, 29, volume.shape_kji).astype(np.uint8)
    return volume, labels


def test_mask_in_another_axis_order_is_reordered(volume_and_labels, tmp_path):
    """Converters flip rows; the mask still lands on the right voxels."""
    volume, labels = volume_and_labels
    save_labels(tmp_path / "mask.nii.gz", labels, volume.affine_lps)
    image = nib.load(tmp_path / "mask.nii.gz")
    for axes in permutations(range(3)):
        for signs in ((1, -1, 1), (-1, 1, -1)):
            orientation = np.column_stack([axes, signs])
            nib.save(image.as_reoriented(orientation), tmp_path / "turned.nii.gz")
            np.testing.assert_array_equal(load_labels(tmp_path / "turned.nii.gz", volume), labels)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int64, np.float32])
def test_label_data_types(volume_and_labels, tmp_path, dtype):
    volume, labels = volume_and_labels
    affine = RAS_FROM_LPS @ volume.affine_lps @ np.eye(4)[[2, 1, 0, 3]]
    image = nib.Nifti1Image(labels.T.astype(dtype), affine, dtype=dtype)
    nib.save(image, tmp_path / "mask.nii")
    loaded = load_labels(tmp_path / "mask.nii", volume)
    np.testing.assert_array_equal(loaded, labels)
    assert loaded.dtype == np.uint8


def test_mask_on_another_grid_says_what_differs(volume_and_labels, tmp_path):
    volume, labels = volume_and_labels
    path = tmp_path / "mask.nii.gz"
    save_labels(path, labels[:-1], volume.affine_lps)
    with pytest.raises(UnreadableInput, match="the mask has 10 x 10 x 9 voxels, the volume 11"):
        load_labels(path, volume)
    shifted = volume.affine_lps.copy()
    shifted[2, 3] += 2.5
    save_labels(path, labels, shifted)
    with pytest.raises(UnreadableInput, match=r"up to 2\.50 mm away"):
        load_labels(path, volume)
    mirrored = volume.affine_lps.copy()
    mirrored[0] *= -1
    save_labels(path, labels, mirrored)
    with pytest.raises(UnreadableInput, match="mm away"):
        load_labels(path, volume)


def test_mask_shifted_by_less_than_the_tolerance_is_accepted(volume_and_labels, tmp_path):
    volume, labels = volume_and_labels
    rounded = volume.affine_lps.copy()
    rounded[:3, 3] += 0.004
    save_labels(tmp_path / "mask.nii.gz", labels, rounded)
    np.testing.assert_array_equal(load_labels(tmp_path / "mask.nii.gz", volume), labels)


@pytest.mark.parametrize("value", [0.5, -1, 300, np.nan])
def test_values_that_are_no_labels(volume_and_labels, tmp_path, value):
    volume, labels = volume_and_labels
    array = labels.T.astype(np.float64)
    array[0, 0, 0] = value
    affine = RAS_FROM_LPS @ volume.affine_lps @ np.eye(4)[[2, 1, 0, 3]]
    nib.save(nib.Nifti1Image(array, affine), tmp_path / "mask.nii")
    with pytest.raises(UnreadableInput, match="whole numbers from 0 to 255"):
        load_labels(tmp_path / "mask.nii", volume)


def test_a_real_mask_of_another_axis_order_lands_on_its_ct(real_data, tmp_path):
    """CT and mask of this pair are stored with opposite x and y."""
    volume = load_nifti(real_data / "ct" / "ts_example_ct.nii.gz")
    mask_path = real_data / "labels" / "ts_example_ct_vert_verse.nii.gz"
    labels = load_labels(mask_path, volume)
    save_labels(tmp_path / "again.nii.gz", labels, volume.affine_lps)
    again = nib.load(tmp_path / "again.nii.gz")
    ct = nib.load(real_data / "ct" / "ts_example_ct.nii.gz")
    np.testing.assert_allclose(again.affine, ct.affine, atol=1e-5)
    original = nib.as_closest_canonical(nib.load(mask_path))
    again = nib.as_closest_canonical(again)
    np.testing.assert_allclose(again.affine, original.affine, atol=1e-3)
    np.testing.assert_array_equal(np.asarray(again.dataobj), np.asarray(original.dataobj))
