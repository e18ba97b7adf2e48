"""Texture and density of a volume's bodies."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from inference.anatomy import VertebraLevel
from inference.report import (
    FractureFinding,
    LabelledVertebra,
    ModelIdentity,
    Segmentation,
    VertebraMeasurement,
)
from inference.volume import Acquisition, CTVolume, SourceSeries
from texture import FEATURE_KEYS, Calibration, compute_features
from texture.errors import RegionError, SettingsError
from texture.extract import extract

SPACING = (2.0, 1.0, 1.0)
LEVELS = (VertebraLevel.L1, VertebraLevel.L2, VertebraLevel.L3, VertebraLevel.L4)
CORE_HU = 160.0


@pytest.fixture(scope="module")
def spine():
    """Four boxes of bone with a dense shell in soft tissue, 30 mm apart, axial slices."""
    shape = (70, 110, 100)
    affine = np.array(
        [[0, 0, 1.0, -50], [0, 1.0, 0, -70], [2.0, 0, 0, 0], [0, 0, 0, 1.0]], dtype=np.float64
    )
    noise = np.random.default_rng(4).normal(0.0, 12.0, shape)
    hu = 40.0 + noise
    bodies = np.zeros(shape, dtype=np.uint8)
    labels = np.zeros(shape, dtype=np.uint8)
    measurements = []
    for n, level in enumerate(LEVELS):
        k = 60 - 15 * n
        bodies[k - 6 : k + 6, 55:85, 30:70] = level
        labels[k - 3 : k + 3, 85:105, 40:60] = level
        inner = (slice(k - 5, k + 5), slice(57, 83), slice(32, 68))
        hu[bodies == level] += 500
        hu[inner] = CORE_HU + noise[inner]
        centre = CTVolume(hu.astype(np.int16), affine).to_lps_mm((k - 0.5, 69.5, 49.5))
        measurements.append(VertebraMeasurement(level, 0.9, True, tuple(centre), 25.0, None, None))
    labels[bodies > 0] = bodies[bodies > 0]
    volume = CTVolume(np.rint(hu).astype(np.int16), affine)
    found = tuple(LabelledVertebra(level, 0.9, True) for level in LEVELS)
    segmentation = Segmentation(labels, bodies, found, ModelIdentity("m", "1", "0" * 64))
    return volume, segmentation, tuple(measurements)


def test_core_density_is_that_of_the_trabecular_bone(spine):
    """The dense shell does not reach the core, and the erosion is stated."""
    report = extract(*spine, calibration=Calibration("phantom", slope=1.25, intercept=10.0))
    for vertebra in report.vertebrae:
        assert vertebra.hu.mean == pytest.approx(CORE_HU, abs=0.5)
        assert vertebra.hu.median == pytest.approx(CORE_HU, abs=1.0)
        assert vertebra.hu.sd == pytest.approx(12.0, abs=0.6)
        assert vertebra.bmd_mg_cm3 == pytest.approx((vertebra.hu.mean - 10.0) / 1.25)
        assert vertebra.core_erosion_mm == 4.0
        assert vertebra.unavailable == {}


def test_features_are_those_of_the_body_alone(spine):
    volume, segmentation, measurements = spine
    report = extract(volume, segmentation, measurements)
    for vertebra in report.vertebrae:
        alone = compute_features(volume.hu, segmentation.bodies == vertebra.level, SPACING)
        assert vertebra.features == alone
        assert all(math.isfinite(alone[key]) for key in FEATURE_KEYS)
    assert (report.preset.name, report.preset.levels) == ("goller2023", 1000)


def test_spine_density_is_the_mean_of_l1_to_l3(spine):
    report = extract(*spine, calibration=Calibration("phantom", slope=1.6, intercept=0.0))
    by_level = {v.level: v.bmd_mg_cm3 for v in report.vertebrae}
    expected = np.mean([by_level[level] for level in LEVELS[:3]])
    assert report.spine.bmd_mg_cm3 == pytest.approx(expected)
    assert report.spine.bmd_levels == LEVELS[:3]
    assert report.spine.bmd_class == "osteopenia"
    assert report.spine.calibration == "phantom"


def test_fractured_levels_do_not_enter_the_mean(spine):
    volume, segmentation, measurements = spine
    fracture = FractureFinding(0.3, 2, "wedge", 25.0, "posterior", "A wedge fracture.")
    changed = (replace(measurements[0], fracture=fracture), *measurements[1:])
    report = extract(volume, segmentation, changed)
    assert report.vertebrae[0].bmd_mg_cm3 is not None
    assert report.spine.bmd_levels == LEVELS[1:3]


@pytest.mark.parametrize(
    ("change", "word"),
    [({"complete": False}, "edge of the scan"), ({"flags": ("foreign_material",)}, "foreign")],
)
def test_unusable_bodies_get_a_reason_instead_of_numbers(spine, change, word):
    volume, segmentation, measurements = spine
    changed = (replace(measurements[0], **change), *measurements[1:])
    vertebra = extract(volume, segmentation, changed).vertebrae[0]
    assert vertebra.hu is None
    assert vertebra.bmd_mg_cm3 is None
    assert set(vertebra.features.values()) == {None}
    assert {"features", "hu", "bmd_mg_cm3"} <= set(vertebra.unavailable)
    assert word in vertebra.unavailable["features"]


def test_generic_calibration_is_named_and_noticed(spine):
    report = extract(*spine)
    assert report.spine.calibration == "generic-120kvp"
    assert {"bmd_generic_calibration", "bmd_kvp_unknown"} <= {n.code for n in report.warnings}


def test_generic_calibration_is_not_used_at_another_tube_voltage(spine):
    volume, segmentation, measurements = spine
    source = SourceSeries(acquisition=Acquisition(KVP=80.0))
    report = extract(replace(volume, source=source), segmentation, measurements)
    assert all(v.bmd_mg_cm3 is None for v in report.vertebrae)
    assert all("80 kVp" in v.unavailable["bmd_mg_cm3"] for v in report.vertebrae)
    assert all(v.hu is not None for v in report.vertebrae)
    assert report.spine.bmd_mg_cm3 is None
    assert report.spine.bmd_class is None


def test_a_spine_without_density_says_so(spine):
    volume, segmentation, measurements = spine
    cut = tuple(replace(m, complete=False) for m in measurements)
    report = extract(volume, segmentation, cut)
    assert report.spine.bmd_mg_cm3 is None
    assert "bmd_unavailable" in {n.code for n in report.warnings}


def test_other_levels_than_l1_to_l3_are_remarked_on(spine):
    volume, segmentation, measurements = spine
    cut = tuple(replace(m, complete=m.level == VertebraLevel.L4) for m in measurements)
    report = extract(volume, segmentation, cut)
    assert report.spine.bmd_levels == (VertebraLevel.L4,)
    notice = next(n for n in report.warnings if n.code == "bmd_other_levels")
    assert "L4" in notice.text


def test_contrast_in_the_header_is_remarked_on(spine):
    volume, segmentation, measurements = spine
    source = SourceSeries(acquisition=Acquisition(KVP=120.0, ContrastBolusAgent="IOHEXOL"))
    report = extract(replace(volume, source=source), segmentation, measurements[:1])
    assert report.spine.contrast_phase == "unspecified"
    assert {n.code for n in report.warnings} == {"bmd_generic_calibration", "contrast_enhanced"}


def test_masks_of_another_grid_are_refused(spine):
    volume, segmentation, measurements = spine
    cut = replace(segmentation, bodies=segmentation.bodies[1:])
    with pytest.raises(RegionError, match="grid"):
        extract(volume, cut, measurements)


def test_an_unknown_preset_is_refused_by_name(spine):
    with pytest.raises(SettingsError, match="goller2024"):
        extract(*spine, settings="goller2024")
