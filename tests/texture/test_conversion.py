"""From measured HU to bone density: every correction is done, bounded and named."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from inference.volume import CTVolume
from texture.calibration import GENERIC_CALIBRATION, Calibration
from texture.contrast import Enhancement
from texture.conversion import CONTRAST_OFFSET_HU, Conversion, Corrections
from texture.internal_calibration import EXPECTED_HU, HUScale, internal_scale
from texture.notices import conversion_notices

LINE = Calibration("ct-1", slope=1.2, intercept=4.0)


@pytest.mark.parametrize(
    ("seen", "phase"),
    [
        (Enhancement(45.0, 44.0, 35.0), "native"),
        (Enhancement(45.0), "native"),
        (Enhancement(320.0, 90.0, 160.0), "arterial"),
        (Enhancement(320.0), "arterial"),
        (Enhancement(230.0, 210.0, 190.0), "portal_venous"),
        (Enhancement(150.0, 140.0, 180.0), "portal_venous"),
        (Enhancement(85.0, 80.0, 220.0), "late"),
        (Enhancement(None, None, 200.0), "unspecified"),
        (Enhancement(None), None),
    ],
)
def test_vessels_and_kidneys_give_the_phase(seen: Enhancement, phase: str | None) -> None:
    assert seen.phase == phase


def test_bright_bowel_beside_dark_kidneys_is_no_enhanced_aorta() -> None:
    assert Enhancement(260.0, 45.0, 32.0).phase is None


def test_what_contrast_agent_adds_is_taken_off_and_said() -> None:
    plain = Conversion(LINE)
    enhanced = Conversion(LINE, contrast_phase="portal_venous")
    added = CONTRAST_OFFSET_HU["portal_venous"]
    assert enhanced.bmd_mg_cm3(150.0 + added) == pytest.approx(plain.bmd_mg_cm3(150.0))
    assert enhanced.name == "ct-1, portal venous contrast -18.1 HU"
    (notice,) = conversion_notices(enhanced, Corrections(), "portal_venous")
    assert notice.code == "contrast_enhanced"
    assert "18.1 HU were taken off" in notice.text


@pytest.mark.parametrize("phase", ["native", None, "late", "unspecified"])
def test_without_a_published_offset_nothing_is_taken_off(phase: str | None) -> None:
    conversion = Conversion(LINE, contrast_phase=phase)
    assert conversion.bmd_mg_cm3(150.0) == pytest.approx(LINE.bmd_mg_cm3(150.0))
    assert conversion.name == "ct-1"


def test_an_uncorrected_phase_is_still_flagged() -> None:
    (notice,) = conversion_notices(Conversion(LINE), Corrections(contrast=False), "arterial")
    assert "not corrected" in notice.text


def torso(slope: float = 1.0, shift: float = 0.0, noise: float = 9.0) -> CTVolume:
    """Air, a rim of fat, muscle behind and organs in front, on a scale that is off."""
    k, j, i = np.meshgrid(np.arange(30), np.arange(130), np.arange(150), indexing="ij")
    y, x = (j - 65) * 2.0, (i - 75) * 2.0
    hu = np.full(k.shape, EXPECTED_HU["air"])
    body = (x / 130) ** 2 + (y / 110) ** 2 < 1
    hu[body] = EXPECTED_HU["fat"]
    inner = (x / 112) ** 2 + (y / 92) ** 2 < 1
    hu[inner] = 38.0
    hu[inner & (y > 10)] = EXPECTED_HU["muscle"]
    hu[(np.abs(x) < 22) & (np.abs(y) < 16)] = 160.0
    hu = slope * hu + shift + np.random.default_rng(3).normal(0, noise, hu.shape)
    hu[:, :6] = -1024  # padding outside the reconstruction circle
    affine = np.array([[0, 0, 2.0, -150], [0, 2.0, 0, -130], [3.0, 0, 0, 0], [0, 0, 0, 1.0]])
    return CTVolume(np.rint(hu).astype(np.int16), affine)


CENTRES = [(0.0, 0.0, z) for z in (20.0, 45.0, 70.0)]


def test_a_scan_on_scale_is_left_as_it_is() -> None:
    scale = internal_scale(torso(), CENTRES, "native")
    assert scale is not None
    assert scale.corrected(150.0) == pytest.approx(150.0, abs=3.0)
    assert set(scale.found_hu) == {"air", "fat", "muscle"}


@pytest.mark.parametrize(("slope", "shift"), [(0.96, -2.0), (1.03, 8.0), (1.0, -9.0)])
def test_a_drifted_scale_is_set_right(slope: float, shift: float) -> None:
    scale = internal_scale(torso(slope, shift), CENTRES, "native")
    assert scale is not None
    measured = slope * 160.0 + shift
    assert abs(measured - 160.0) > 8.0
    assert scale.corrected(measured) == pytest.approx(160.0, abs=4.0)


def test_enhanced_muscle_does_not_set_the_scale() -> None:
    scale = internal_scale(torso(), CENTRES, "portal_venous")
    assert scale is not None
    assert "muscle" not in scale.found_hu


def test_a_scan_far_off_is_not_bent_into_place() -> None:
    assert internal_scale(torso(1.0, 45.0), CENTRES, "native") is None
    corrections = Corrections(internal=True)
    codes = [n.code for n in conversion_notices(Conversion(LINE), corrections, "native")]
    assert codes == ["internal_calibration_failed"]


def test_a_crop_without_fat_has_no_scale() -> None:
    volume = torso()
    crop = replace(volume, hu=volume.hu[:, 55:90, 60:90])
    assert internal_scale(crop, CENTRES, None) is None


def test_the_scale_is_named_with_what_it_rests_on() -> None:
    conversion = Conversion(GENERIC_CALIBRATION, HUScale(1.0, 2.0, {"fat": -106.2, "air": -999.0}))
    assert conversion.name == "generic-120kvp, scale set on fat -106, air -999 HU"
    assert conversion.bmd_mg_cm3(133.0) == pytest.approx(135.0 / 1.33)
