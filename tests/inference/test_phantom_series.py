"""The rendered phantom: HU, labels, truth and the DICOM series that carries them."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from scipy import ndimage

from inference.anatomy import VertebraLevel
from inference.nifti import load_labels
from inference.phantom.dicom import write_phantom
from inference.phantom.layout import field_of_view, phantom_anatomy
from inference.phantom.materials import trabecular_hu
from inference.phantom.render import render
from inference.phantom.spec import PhantomSpec, parse_fracture, parse_levels
from inference.phantom.truth import truth
from inference.volume import CTVolume, LabelArray

SMALL = PhantomSpec(
    seed=4,
    levels=parse_levels("L1-L2"),
    fractures=(parse_fracture("L1:wedge:0.3"),),
    bmd_mg_cm3=110.0,
    spacing_xyz_mm=(2.0, 2.0, 2.0),
    left_marker=True,
    field_of_view_mm=130.0,
)
ORIENTATIONS = ("axial", "sagittal", "coronal")


@dataclass(frozen=True)
class Written:
    """A phantom on disk, read back."""

    folder: Path
    volume: CTVolume
    labels: LabelArray
    bodies: LabelArray
    truth: dict[str, Any]


def written(spec: PhantomSpec, out: Path) -> Written:
    volume = CTVolume.from_dicom(write_phantom(spec, out))
    known = json.loads((out / "truth.json").read_text())
    labels = load_labels(out / "labels.nii.gz", volume)
    return Written(out, volume, labels, load_labels(out / "bodies.nii.gz", volume), known)


@pytest.fixture(scope="module")
def phantoms(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Written]:
    root = tmp_path_factory.mktemp("phantoms")
    return {o: written(replace(SMALL, orientation=o), root / o) for o in ORIENTATIONS}


def entry(known: dict[str, Any], label: str) -> dict[str, Any]:
    return next(row for row in known["vertebrae"] if row["label"] == label)


def test_a_spec_gives_the_same_bytes_again(phantoms: dict[str, Written], tmp_path: Path) -> None:
    write_phantom(SMALL, tmp_path)
    first = phantoms["axial"].folder
    names = sorted(p.name for p in (first / "dicom").iterdir())
    assert names == sorted(p.name for p in (tmp_path / "dicom").iterdir())
    for name in names[:: len(names) // 4]:
        assert (tmp_path / "dicom" / name).read_bytes() == (first / "dicom" / name).read_bytes()
    assert (tmp_path / "truth.json").read_text() == (first / "truth.json").read_text()


def test_a_smaller_phantom_leaves_no_slices_of_a_larger_one(tmp_path: Path) -> None:
    stale = tmp_path / "dicom" / "CT0999.dcm"
    stale.parent.mkdir()
    stale.write_bytes(b"old")
    write_phantom(replace(SMALL, spacing_xyz_mm=(4.0, 4.0, 4.0)), tmp_path)
    assert not stale.exists()


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_the_node_reads_it_without_a_warning(
    phantoms: dict[str, Written], orientation: str
) -> None:
    phantom = phantoms[orientation]
    assert phantom.volume.warnings == ()
    assert list(phantom.volume.shape_kji) == phantom.truth["shape_kji"]
    np.testing.assert_allclose(phantom.volume.affine_lps, phantom.truth["affine_lps"], atol=1e-4)


@pytest.mark.parametrize("orientation", ["sagittal", "coronal"])
def test_every_orientation_shows_the_same_patient(
    phantoms: dict[str, Written], orientation: str
) -> None:
    """Body centroids in LPS agree to a tenth of a voxel, and so does the truth exactly."""
    axial, other = phantoms["axial"], phantoms[orientation]
    assert other.truth["vertebrae"] == axial.truth["vertebrae"]
    for label in (20, 21):
        centers = [
            p.volume.to_lps_mm(np.argwhere(p.bodies == label)).mean(axis=0) for p in (axial, other)
        ]
        np.testing.assert_allclose(centers[0], centers[1], atol=0.2)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_the_left_marker_lies_at_positive_x(phantoms: dict[str, Written], orientation: str) -> None:
    phantom = phantoms[orientation]
    metal = phantom.volume.to_lps_mm(np.argwhere(phantom.volume.hu > 2500)).mean(axis=0)
    np.testing.assert_allclose(metal, phantom.truth["left_marker_lps_mm"], atol=1.0)
    assert metal[0] > entry(phantom.truth, "L1")["centroid_lps_mm"][0] + 20


def test_only_the_left_side_has_a_thirteenth_rib() -> None:
    ribs = [rib for rib in phantom_anatomy(SMALL).ribs if rib.level == VertebraLevel.L1]
    assert len(ribs) == 1
    assert ribs[0].path_lps_mm[:, 0].min() > 0
    plain = phantom_anatomy(replace(SMALL, left_marker=False))
    assert not [rib for rib in plain.ribs if rib.level == VertebraLevel.L1]


def test_truth_knows_the_fracture_and_nothing_of_cut_vertebrae(
    phantoms: dict[str, Written],
) -> None:
    known = phantoms["axial"].truth
    wedge = entry(known, "L1")
    assert wedge["height_loss"] == pytest.approx(0.3, abs=0.01)
    assert wedge["genant"] == {"grade": 2, "type": "wedge"}
    assert known["spine"]["fractured_levels"] == ["L1"]
    assert entry(known, "L2")["genant"] == {"grade": 0, "type": "none"}
    for label in ("T12", "L3"):
        assert entry(known, label)["complete"] is False
        assert entry(known, label)["heights_mm"] is None


def test_truth_centroids_are_those_of_the_body_labels(phantoms: dict[str, Written]) -> None:
    phantom = phantoms["axial"]
    for row in phantom.truth["vertebrae"]:
        if row["complete"]:
            voxels = np.argwhere(phantom.bodies == row["verse_label"])
            found = phantom.volume.to_lps_mm(voxels).mean(axis=0)
            np.testing.assert_allclose(found, row["centroid_lps_mm"], atol=0.5)


def test_bodies_lie_inside_labels(phantoms: dict[str, Written]) -> None:
    phantom = phantoms["axial"]
    body = phantom.bodies > 0
    np.testing.assert_array_equal(phantom.labels[body], phantom.bodies[body])


@pytest.mark.parametrize("bmd", [60.0, 180.0])
def test_trabecular_bone_has_the_requested_density(bmd: float) -> None:
    """Mean HU of the bodies' cores, with noise, within 3 mg/cm3."""
    spec = replace(SMALL, bmd_mg_cm3=bmd, fractures=())
    anatomy = phantom_anatomy(spec)
    affine, shape = field_of_view(spec, anatomy)
    rendered = render(spec, anatomy, affine, shape)
    calibration = truth(spec, anatomy, affine, shape)["calibration"]
    for label in (20, 21):
        core = ndimage.binary_erosion(rendered.bodies == label, iterations=3)
        mean = float(rendered.hu[core].mean())
        density = (mean - calibration["hu_at_zero_bmd"]) / calibration["hu_per_mg_cm3"]
        assert density == pytest.approx(bmd, abs=3.0)


def test_thick_slices_are_averages_of_thin_ones() -> None:
    """A 6 mm slice equals the mean of the three 2 mm slices it covers."""
    spec = replace(SMALL, noise_hu=0.0, left_marker=False)
    anatomy = phantom_anatomy(spec)
    affine, shape = field_of_view(spec, anatomy)
    thin = render(spec, anatomy, affine, (9, *shape[1:])).hu.astype(float)
    thick_affine = affine.copy()
    thick_affine[:3, 0] *= 3
    thick_affine[:3, 3] += affine[:3, 0]
    thick = render(spec, anatomy, thick_affine, (3, *shape[1:])).hu
    difference = thick - thin.reshape(3, 3, *shape[1:]).mean(axis=1)
    bone = thick > 150
    assert np.abs(difference[bone]).mean() < 12
    assert abs(float(difference[bone].mean())) < 4


def test_noise_has_the_requested_strength() -> None:
    anatomy = phantom_anatomy(SMALL)
    affine, shape = field_of_view(SMALL, anatomy)
    small = (4, *shape[1:])
    noisy = render(replace(SMALL, noise_hu=20.0), anatomy, affine, small).hu.astype(float)
    clean = render(replace(SMALL, noise_hu=0.0), anatomy, affine, small).hu.astype(float)
    inside = clean > -500
    assert np.std((noisy - clean)[inside]) == pytest.approx(20.0, rel=0.1)


def test_the_header_says_that_nobody_was_scanned(phantoms: dict[str, Written]) -> None:
    ds = pydicom.dcmread(phantoms["axial"].folder / "dicom" / "CT0001.dcm")
    assert str(ds.PatientName) == "Phantom^Spine"
    assert (ds.RescaleSlope, ds.RescaleIntercept) == (1, -1024)
    assert float(ds.SliceThickness) == float(ds.SpacingBetweenSlices) == 2.0


def test_trabecular_calibration_is_linear_in_density() -> None:
    assert trabecular_hu(200) - trabecular_hu(100) == pytest.approx(133.0)


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy is not installed")
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_dciodvfy_finds_nothing(phantoms: dict[str, Written], orientation: str) -> None:
    path = phantoms[orientation].folder / "dicom" / "CT0001.dcm"
    done = subprocess.run(
        ["dciodvfy", str(path)], capture_output=True, text=True, timeout=60, check=False
    )
    findings = [
        line
        for line in (done.stdout + done.stderr).splitlines()
        if line.startswith(("Error", "Warning"))
    ]
    assert findings == []


@pytest.mark.parametrize("request_text", ["T10:crush:0.3", "L5:crush:0.45", "T11:biconcave:0.5"])
def test_truth_holds_the_request_at_the_edge_of_the_field(request_text: str) -> None:
    """Two neighbouring fractures, one without a healthy neighbour above or below."""
    request = parse_fracture(request_text)
    other = parse_fracture("L4:crush:0.3" if request.level.name == "L5" else "T12:crush:0.3")
    spec = PhantomSpec(seed=5, fractures=(request, other))
    anatomy = phantom_anatomy(spec)
    affine, shape = field_of_view(spec, anatomy)
    known = truth(spec, anatomy, affine, shape)
    for fracture in (request, other):
        row = entry(known, fracture.level.name)
        assert row["height_loss"] == pytest.approx(fracture.loss, abs=0.01)
        assert row["genant"]["type"] == fracture.type


def test_progress_reaches_the_number_of_slices() -> None:
    spec = replace(SMALL, spacing_xyz_mm=(4.0, 4.0, 4.0))
    anatomy = phantom_anatomy(spec)
    affine, shape = field_of_view(spec, anatomy)
    seen: list[tuple[int, int]] = []
    render(spec, anatomy, affine, shape, lambda done, total: seen.append((done, total)))
    assert seen[-1] == (shape[0], shape[0])
