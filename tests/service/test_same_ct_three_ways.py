"""One CT as axial DICOM, as sagittal reformats and as NIfTI gives the same levels and numbers.

Tolerances
----------
The sagittal reformat by reordering and the NIfTI hold the very samples of the axial series. All
that may differ is rounding: of the affine in decimal strings (6 digits) and of sums taken in
another order. `SAME` allows 1e-3 of a value.

The interpolated reformat lies half a voxel (0.75 mm) off along all three axes, the worst case of
linear interpolation: every sample is the mean of eight, so an endplate's shell of 0.8 mm is spread
over two voxels (3 mm) and the scan is as coarse as one of 3 mm voxels, where heights are known to
err by 0.65 mm in the mean. `HEIGHT_MM` allows one height 1.2 mm, less than a voxel, and
`HEIGHT_MEAN_MM` their mean 0.65. The mean HU of the interior keeps within `HU_MEAN`. Features of
the spread move because the region's HU range, which the bins divide, shrinks with the noise:
`SPREAD`; entropy and run lengths, which count many voxels, within `COUNTED`. A lost axis, a wrong
voxel size or a shifted mask changes each of them by more.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from inference import CTVolume, VertebraLevel
from inference.nifti import load_labels, save_labels, save_volume
from inference.phantom.bones import bone_fields
from inference.phantom.dicom import write_phantom, write_series
from inference.phantom.geometry import label_maps
from inference.phantom.grid import Grid
from inference.phantom.layout import phantom_anatomy
from inference.phantom.spec import Fracture, PhantomSpec
from service.config import Config
from service.offline import analyze_path

VOXEL_MM = 1.5
SAME = 1e-3
HEIGHT_MM = 1.2
HEIGHT_MEAN_MM = 0.65
HU_MEAN = 6.0
SPREAD = 0.3
COUNTED = 0.02

LEVELS = ("L3", "L4", "L5")
AXIAL_TO_SAGITTAL = (2, 0, 1)
"""Axial (k, j, i) = (head, back, left) becomes slices along x, rows along z, columns along y."""


@dataclass(frozen=True)
class Scan:
    """One form of the CT, and its true labels."""

    source: Path
    mask: Path


def config() -> Config:
    return Config(sr_writer={"outputs": ["seg"]}, inference={"threads": 1})


def reordered(array: np.ndarray, affine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same samples as sagittal slices whose rows run to the feet, columns to the back."""
    turned = array.transpose(AXIAL_TO_SAGITTAL)[::-1, ::-1]
    new = affine[:, [*AXIAL_TO_SAGITTAL, 3]].copy()
    for axis in (0, 1):
        new[:3, 3] += new[:3, axis] * (turned.shape[axis] - 1)
        new[:3, axis] *= -1
    return np.ascontiguousarray(turned), new


def between_samples(hu: np.ndarray, affine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Linear interpolation on the grid half a voxel off along every axis."""
    shifted = affine.copy()
    shifted[:3, 3] += affine[:3, :3] @ np.full(3, 0.5)
    return np.rint(mean_of_eight(hu)).astype(np.int16), shifted


def mean_of_eight(values: np.ndarray) -> np.ndarray:
    mean = values.astype(np.float32)
    for axis in range(3):
        first, last = np.split(mean, [1], axis)[1], np.split(mean, [-1], axis)[0]
        mean = (first + last) / 2
    return mean


def true_labels(spec: PhantomSpec, affine: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    return label_maps(bone_fields(phantom_anatomy(spec), Grid(affine, shape)))[0]


@pytest.fixture(scope="module")
def scans(tmp_path_factory) -> dict[str, Scan]:
    """The four forms of one phantom."""
    folder = tmp_path_factory.mktemp("three-ways")
    spec = PhantomSpec(
        seed=8,
        levels=tuple(VertebraLevel[name] for name in LEVELS),
        fractures=(Fracture(VertebraLevel.L4, "wedge", 0.3),),
        spacing_xyz_mm=(VOXEL_MM,) * 3,
        field_of_view_mm=130.0,
    )
    axial = Scan(write_phantom(spec, folder / "axial"), folder / "axial" / "labels.nii.gz")
    volume = CTVolume.from_dicom(axial.source)
    labels = load_labels(axial.mask, volume)
    save_volume(folder / "ct.nii.gz", volume)
    found = {"axial": axial, "nifti": Scan(folder / "ct.nii.gz", axial.mask)}
    hu, affine = between_samples(volume.hu, volume.affine_lps)
    for name, values, mask, place in (
        ("sagittal", volume.hu, labels, volume.affine_lps),
        ("interpolated", hu, true_labels(spec, affine, hu.shape), affine),
    ):
        target = folder / name
        target.mkdir()
        turned, turned_affine = reordered(values, place)
        write_series(PhantomSpec(seed=9, orientation="sagittal"), turned, turned_affine, target)
        save_labels(folder / f"{name}.nii.gz", reordered(mask, place)[0], turned_affine)
        found[name] = Scan(target, folder / f"{name}.nii.gz")
    return found


@pytest.fixture(scope="module")
def measured(scans, tmp_path_factory) -> dict[str, dict[str, dict]]:
    """Vertebrae by level of every form, on the true labels."""
    out = tmp_path_factory.mktemp("measured")
    for name, scan in scans.items():
        analyze_path(scan.source, out / name, config(), mask=scan.mask)
    return {name: vertebrae(out / name) for name in scans}


def vertebrae(out: Path) -> dict[str, dict]:
    findings = json.loads((out / "findings.json").read_text())
    return {v["label"]: v for v in findings["vertebrae"]}


def complete(found: dict[str, dict]) -> list[str]:
    return [label for label, vertebra in found.items() if vertebra["complete"]]


@pytest.mark.parametrize("form", ["sagittal", "nifti"])
def test_the_same_samples_in_another_form_give_the_same_numbers(measured, form):
    assert list(measured[form]) == list(measured["axial"])
    assert complete(measured["axial"]) == list(LEVELS)
    for label in LEVELS:
        one, other = measured["axial"][label], measured[form][label]
        assert other["centroid_lps_mm"] == pytest.approx(one["centroid_lps_mm"], abs=0.05)
        assert other["heights_mm"] == pytest.approx(one["heights_mm"], abs=0.05)
        assert other["features"] == pytest.approx(one["features"], rel=SAME)
        assert other["hu"] == pytest.approx(one["hu"], rel=SAME)
        assert other["genant"] == one["genant"]
        assert other["flags"] == one["flags"]


def test_an_interpolated_sagittal_reformat_agrees_within_the_resampling_error(measured):
    one, other = measured["axial"], measured["interpolated"]
    assert complete(other) == list(LEVELS)
    assert height_changes(one, other).mean() < HEIGHT_MEAN_MM
    for label in LEVELS:
        assert other[label]["centroid_lps_mm"] == pytest.approx(
            one[label]["centroid_lps_mm"], abs=VOXEL_MM / 2
        )
        assert other[label]["heights_mm"] == pytest.approx(one[label]["heights_mm"], abs=HEIGHT_MM)
        assert other[label]["hu"]["mean"] == pytest.approx(one[label]["hu"]["mean"], abs=HU_MEAN)
        assert other[label]["genant"] == one[label]["genant"]
        assert other[label]["fractured"] == (label == "L4")
        features, expected = other[label]["features"], one[label]["features"]
        for key in ("variance", "energy"):
            assert features[key] == pytest.approx(expected[key], rel=SPREAD)
        for key in ("entropy", "sre", "lre", "rln", "rp"):
            assert features[key] == pytest.approx(expected[key], rel=COUNTED)


def height_changes(one: dict[str, dict], other: dict[str, dict]) -> np.ndarray:
    pairs = [
        (other[label]["heights_mm"][name], one[label]["heights_mm"][name])
        for label in LEVELS
        for name in ("anterior", "middle", "posterior")
    ]
    return np.array([abs(a - b) for a, b in pairs])


def test_the_model_names_the_same_levels_in_every_form(scans, tmp_path):
    """Reordered samples reach the network alike; half a voxel changes no level."""
    found = {}
    for name in ("axial", "nifti", "interpolated"):
        analyze_path(scans[name].source, tmp_path / name, config())
        found[name] = vertebrae(tmp_path / name)
    assert complete(found["axial"]) == list(LEVELS)
    for label in LEVELS:
        heights = found["axial"][label]["heights_mm"]
        assert found["nifti"][label]["heights_mm"] == pytest.approx(heights, abs=0.05)
        assert found["nifti"][label]["features"] == pytest.approx(
            found["axial"][label]["features"], rel=SAME
        )
        assert found["interpolated"][label]["heights_mm"] == pytest.approx(heights, abs=VOXEL_MM)
    assert list(found["nifti"]) == list(found["axial"])
    assert complete(found["interpolated"]) == list(LEVELS)
