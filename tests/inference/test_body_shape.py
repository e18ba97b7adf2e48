"""Left and right heights, endplate angles, volume, and uncertainties that follow the image."""

from __future__ import annotations

import numpy as np
import pytest

from inference import CTVolume, LabelledVertebra, ModelIdentity, Segmentation, VertebraLevel
from inference.morphometry import measure
from inference.report import VertebraMeasurement

LEVELS = (VertebraLevel.T12, VertebraLevel.L1, VertebraLevel.L2)
HEIGHT_MM, PITCH_MM, HALF_WIDTH_MM, HALF_DEPTH_MM = 25.0, 33.0, 21.0, 17.0


def measured_l1(
    slope_left: float = 0.0,
    slope_front: float = 0.0,
    slices_mm: float = 1.0,
    noise_hu: float = 0.0,
) -> VertebraMeasurement:
    """L1 of three elliptic cylinders; its upper endplate falls towards left or front."""
    z, y, x = np.meshgrid(
        np.arange(-48, 48.1, slices_mm), np.arange(-22, 23.0), np.arange(-26, 27.0), indexing="ij"
    )
    column = (x / HALF_WIDTH_MM) ** 2 + (y / HALF_DEPTH_MM) ** 2 < 1
    labels = np.zeros(x.shape, dtype=np.uint8)
    for level, middle in zip(LEVELS, (PITCH_MM, 0.0, -PITCH_MM), strict=True):
        top = HEIGHT_MM / 2
        if level is LEVELS[1]:
            top = top - slope_left * x + slope_front * y
        labels[column & (z - middle > -HEIGHT_MM / 2) & (z - middle < top)] = level
    hu = np.where(labels > 0, 200.0, 60.0)
    hu += np.random.default_rng(2).normal(0.0, 1.0, hu.shape) * noise_hu
    affine = np.array([[0, 0, 1.0, -26], [0, 1.0, 0, -22], [slices_mm, 0, 0, -48], [0, 0, 0, 1.0]])
    found = tuple(LabelledVertebra(v, 1.0, v is LEVELS[1]) for v in LEVELS)
    masks = Segmentation(labels, labels, found, ModelIdentity("test", "1", "0" * 64))
    return measure(CTVolume(np.rint(hu).astype(np.int16), affine), masks)[1]


def test_a_body_that_is_lower_on_the_left_shows_it_in_heights_and_angle() -> None:
    """10 degrees: stations 0.35 of the width from the middle are 2.6 mm lower and higher."""
    geometry = measured_l1(slope_left=np.tan(np.radians(10.0))).geometry
    assert geometry is not None
    assert geometry.left_mm is not None
    assert geometry.right_mm is not None
    assert geometry.coronal_angle_deg is not None
    assert geometry.sagittal_angle_deg is not None
    away = 0.35 * 2 * HALF_WIDTH_MM * np.tan(np.radians(10.0))
    assert geometry.left_mm.value == pytest.approx(HEIGHT_MM - away, abs=0.8)
    assert geometry.right_mm.value == pytest.approx(HEIGHT_MM + away, abs=0.8)
    assert geometry.coronal_angle_deg.value == pytest.approx(10.0, abs=1.5)
    assert geometry.sagittal_angle_deg.value == pytest.approx(0.0, abs=1.0)


def test_a_wedge_shows_in_the_sagittal_angle_alone() -> None:
    geometry = measured_l1(slope_front=np.tan(np.radians(8.0))).geometry
    assert geometry is not None
    assert geometry.coronal_angle_deg is not None
    assert geometry.sagittal_angle_deg is not None
    assert geometry.sagittal_angle_deg.value == pytest.approx(8.0, abs=1.5)
    assert geometry.coronal_angle_deg.value == pytest.approx(0.0, abs=1.0)


def test_the_volume_lies_within_twice_its_uncertainty() -> None:
    found = measured_l1()
    true_ml = np.pi * HALF_WIDTH_MM * HALF_DEPTH_MM * HEIGHT_MM / 1000.0
    assert found.volume_ml is not None
    assert found.volume_sd_ml is not None
    assert abs(found.volume_ml - true_ml) < 2 * found.volume_sd_ml
    assert found.volume_sd_ml < 0.05 * true_ml


def test_coarse_slices_and_noise_make_heights_less_certain() -> None:
    clear, coarse = measured_l1(), measured_l1(slices_mm=3.0)
    noisy = measured_l1(noise_hu=60.0)
    for doubtful in (coarse, noisy):
        assert clear.height_uncertainty_mm is not None
        assert doubtful.height_uncertainty_mm is not None
        assert doubtful.height_uncertainty_mm > 1.3 * clear.height_uncertainty_mm
    assert coarse.volume_sd_ml > clear.volume_sd_ml  # type: ignore[operator]
