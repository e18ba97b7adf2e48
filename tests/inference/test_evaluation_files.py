"""Which files make a case, and how centroid and grade files are read."""

from __future__ import annotations

import json
from itertools import permutations, product
from pathlib import Path

import numpy as np
import pytest

from inference.anatomy import VertebraLevel
from inference.errors import UnreadableInput
from inference.evaluation.centres import mask_centres
from inference.evaluation.centroid_file import read_centroids
from inference.evaluation.grade_file import read_grades, same_case
from inference.evaluation.layout import find_cases
from inference.nifti import load_labels
from inference.volume import CTVolume

L1, L2, T9 = VertebraLevel.L1, VertebraLevel.L2, VertebraLevel.T9


def touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def test_verse_folders_give_ct_mask_centroids_and_grades(tmp_path):
    raw, derived = "rawdata/sub-verse004", "derivatives/sub-verse004"
    touch(
        tmp_path,
        f"{raw}/sub-verse004_ct.nii.gz",
        f"{derived}/sub-verse004_seg-vert_msk.nii.gz",
        f"{derived}/sub-verse004_seg-subreg_ctd.json",
        f"{derived}/sub-verse004_seg-vert_snp.png",
        "verse_fracture_grading.csv",
    )
    (case,) = find_cases(tmp_path)
    assert case.name == "sub-verse004"
    assert case.mask.name == "sub-verse004_seg-vert_msk.nii.gz"
    assert case.centroids.name == "sub-verse004_seg-subreg_ctd.json"
    assert case.grades.name == "verse_fracture_grading.csv"


def test_two_series_of_one_patient_keep_their_own_files(tmp_path):
    touch(
        tmp_path,
        "sub-a_dir-ax_ct.nii.gz",
        "sub-a_dir-ax_seg-vert_msk.nii.gz",
        "sub-a_dir-sag_ct.nii.gz",
        "sub-a_dir-sag_seg-sub_ctd.json",
    )
    axial, sagittal = find_cases(tmp_path)
    assert axial.mask.name == "sub-a_dir-ax_seg-vert_msk.nii.gz"
    assert axial.centroids is None
    assert sagittal.mask is None
    assert sagittal.centroids.name == "sub-a_dir-sag_seg-sub_ctd.json"


def test_a_name_that_starts_like_another_takes_nothing_from_it(tmp_path):
    touch(tmp_path, "sub-1_ct.nii.gz", "sub-1_b_ct.nii.gz", "sub-1_b_seg-vert_msk.nii.gz")
    cases = {case.name: case for case in find_cases(tmp_path)}
    assert cases["sub-1"].mask is None
    assert cases["sub-1_b"].mask is not None


def test_equal_names_in_two_parts_of_a_data_set_stay_apart(tmp_path):
    for part in ("01_training", "03_test"):
        touch(tmp_path, f"{part}/rawdata/sub-a_ct.nii.gz")
        touch(tmp_path, f"{part}/derivatives/sub-a_seg-vert_msk.nii.gz")
    first, second = find_cases(tmp_path)
    assert first.name == "01_training/rawdata/sub-a"
    assert "01_training" in first.mask.parts
    assert "03_test" in second.mask.parts


def test_body_centroids_are_preferred_and_voxels_to_millimetres(tmp_path):
    touch(tmp_path, "a_ct.nii.gz", "a_seg-vert_ctd.json", "a_iso-ctd.json")
    touch(tmp_path, "a_seg-subreg_iso-ctd.json", "a_seg-subreg_ctd.json")
    (case,) = find_cases(tmp_path)
    assert case.centroids.name == "a_seg-subreg_ctd.json"


def test_a_phantom_folder_is_named_by_its_folder(tmp_path):
    touch(tmp_path, "p/truth.json", "p/labels.nii.gz", "p/dicom/CT0001.dcm", "x/truth.json")
    (case,) = find_cases(tmp_path)
    assert (case.name, case.ct, case.bodies) == ("p", tmp_path / "p/dicom", None)
    (direct,) = find_cases(tmp_path / "p")
    assert direct.name == "p"


def volume_of(axes: tuple[int, ...], signs: tuple[int, ...]) -> CTVolume:
    affine = np.eye(4)
    affine[:3, :3] = 0
    for array_axis, (patient_axis, sign) in enumerate(zip(axes, signs, strict=True)):
        affine[patient_axis, array_axis] = sign * (2.5, 0.8, 0.7)[array_axis]
    affine[:3, 3] = (12.0, -30.0, 200.0)
    return CTVolume(np.zeros((10, 12, 14), dtype=np.int16), affine)


def centroid_file(folder: Path, rows: list, name: str = "a_seg-subreg_ctd.json") -> Path:
    path = folder / name
    path.write_text(json.dumps(rows))
    return path


@pytest.mark.parametrize("axes", list(permutations(range(3))))
@pytest.mark.parametrize("name", ["a_seg-subreg_ctd.json", "a_iso-ctd.json"])
def test_centroids_are_found_in_every_axis_order(tmp_path, axes, name):
    """A point written by hand along P, I and R comes back at its patient coordinates."""
    for signs in product((1, -1), repeat=3):
        volume = volume_of(axes, signs)
        corners = volume.to_lps_mm(
            np.array(list(product(*[(0, size - 1) for size in volume.shape_kji])))
        )
        start = np.array([corners[:, 0].max(), corners[:, 1].min(), corners[:, 2].max()])
        spacing_xyz = np.array([volume.spacing_kji_mm[axes.index(a)] for a in range(3)])
        steps_pir = np.array([3.0, 2.0, 1.5])
        x, y, z = start + np.array([-1, 1, -1]) * steps_pir[[2, 0, 1]] * spacing_xyz
        in_mm = steps_pir * spacing_xyz[[1, 2, 0]]
        written = in_mm if "iso" in name else steps_pir
        row = {"label": 20, **dict(zip("XYZ", written.tolist(), strict=True))}
        path = centroid_file(tmp_path, [{"direction": ["P", "I", "R"]}, row], name)
        np.testing.assert_allclose(read_centroids(path, volume)[L1], (x, y, z), atol=1e-9)


def test_sacrum_coccyx_and_blank_centroids_are_left_out(tmp_path):
    rows = [{"direction": ["L", "A", "S"]}, {"label": 21, "X": 1, "Y": 2, "Z": 3.5}]
    rows += [{"label": label, "X": 1, "Y": 1, "Z": 1} for label in (26, 27)]
    rows += [{"label": 22, "X": float("nan"), "Y": 1, "Z": 1}]
    found = read_centroids(centroid_file(tmp_path, rows), volume_of((2, 1, 0), (1, 1, 1)))
    assert list(found) == [L2]


@pytest.mark.parametrize(
    "content",
    [
        "{}",
        "[1, 2]",
        "not json",
        '[{"label": 20, "X": 1, "Y": 1, "Z": 1}]',
        '[{"direction": ["P", "A", "R"]}, {"label": 20, "X": 1, "Y": 1, "Z": 1}]',
        '[{"direction": ["P", "I"]}, {"label": 20, "X": 1, "Y": 1, "Z": 1}]',
        '[{"direction": ["P", "I", "R"]}, {"label": 20, "X": 1, "Y": 1}]',
        '[{"direction": ["P", "I", "R"]}, {"label": 99, "X": 1, "Y": 1, "Z": 1}]',
        '[{"direction": ["P", "I", "R"]}, {"label": 20, "X": 1, "Y": 400, "Z": 1}]',
    ],
)
def test_other_forms_and_centroids_outside_the_image_are_refused_by_name(tmp_path, content):
    path = tmp_path / "a_ctd.json"
    path.write_text(content)
    with pytest.raises(UnreadableInput, match=r"a_ctd\.json"):
        read_centroids(path, volume_of((2, 1, 0), (1, 1, 1)))


VERSE004_PIR_VOXELS = {16: (79.1, 40.9, 32.3), 20: (63.2, 141.9, 31.8), 24: (57.2, 266.4, 29.3)}
"""Three of the published centroids of sub-verse004 (CC BY-SA 4.0)."""


def test_published_centroids_of_a_real_case_lie_in_their_bodies(real_data, tmp_path):
    """They are voxels, not millimetres, and lie in front of the whole vertebra's centre."""
    mask = real_data / "labels" / "verse004_vert_verse.nii.gz"
    volume = CTVolume.from_nifti(mask)
    labels = load_labels(mask, volume)
    rows = [{"direction": ["P", "I", "R"]}]
    for label, xyz in VERSE004_PIR_VOXELS.items():
        rows.append({"label": label, **dict(zip("XYZ", xyz, strict=True))})
    found = read_centroids(centroid_file(tmp_path, rows), volume)
    centres = mask_centres(labels, volume)
    for level, point in found.items():
        k, j, i = np.rint(volume.to_index_kji(point)).astype(int)
        assert labels[k, j, i] == int(level)
        forward_mm = centres[level][1] - point[1]
        assert 7.0 < forward_mm < 16.0, "body centres lie in front of the whole vertebra's"


def test_grades_as_json_by_name_or_number_and_by_case(tmp_path):
    path = tmp_path / "grades.json"
    path.write_text('{"T9": 2, "20": 0, "L2": null}')
    assert read_grades(path, "sub-a") == {T9: 2, L1: 0}
    path.write_text('{"verse004": {"T9": 2}, "verse005": {"T9": 0}}')
    assert read_grades(path, "sub-verse005_dir-ax") == {T9: 0}
    assert read_grades(path, "sub-verse006") is None


@pytest.mark.parametrize(
    "text",
    [
        "label,grade\nT9,2\nL1,0\nL2,\n",
        "subject,label,grade\nverse004,16,2\nsub-verse004,L1,0\nverse005,T9,3\n",
        "verse_ID,T9,L1,L2,T9_type\nverse004,2,0,,wedge\nverse005,3,3,3,crush\n",
        "verse_ID,T9_fracture-grading,L1_fracture-grading\nverse004,2,0\n",
    ],
)
def test_grades_as_csv_long_and_wide(tmp_path, text):
    path = tmp_path / "a_fracture.csv"
    path.write_text(text)
    assert read_grades(path, "sub-verse004_dir-sag") == {T9: 2, L1: 0}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a_fracture.csv", "label,grade\nT9,4\n"),
        ("a_fracture.csv", "label,grade\nX9,1\n"),
        ("a_fracture.csv", "level,severity\nT9,1\n"),
        ("a_grades.json", '{"T9": "severe"}'),
        ("a_grades.json", "[1]"),
    ],
)
def test_grade_files_of_another_form_are_refused_by_name(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(UnreadableInput, match=name):
        read_grades(path, "sub-a")


def test_case_names_in_tables_match_whole_identifiers_only():
    assert same_case("verse004", "sub-verse004_dir-ax")
    assert same_case("sub-verse004", "01_training/rawdata/sub-verse004")
    assert not same_case("verse00", "sub-verse004")
    assert not same_case("", "sub-verse004")
