"""A narrow hole in an endplate is named a pit and is no height loss; a broad hollow is one."""

from __future__ import annotations

import numpy as np
import pytest

from inference import CTVolume, LabelledVertebra, ModelIdentity, Segmentation, VertebraLevel
from inference.morphometry import measure
from inference.report import VertebraMeasurement

LEVELS = (VertebraLevel.T12, VertebraLevel.L1, VertebraLevel.L2)
HEIGHT_MM, PITCH_MM = 25.0, 33.0


def measured_l1(hollow_radius_mm: float, hollow_depth_mm: float) -> VertebraMeasurement:
    """L1 of three elliptic cylinders; its upper endplate has a hollow in the middle."""
    spacing = 1.0
    z, y, x = np.meshgrid(*(np.arange(-n, n + 1) * spacing for n in (48, 22, 26)), indexing="ij")
    column = (x / 21) ** 2 + (y / 17) ** 2 < 1
    radius = np.hypot(x, y)
    floor = HEIGHT_MM / 2 - hollow_depth_mm * np.sqrt(
        np.clip(1 - (radius / max(hollow_radius_mm, 1e-6)) ** 2, 0, None)
    )
    labels = np.zeros(x.shape, dtype=np.uint8)
    for level, middle in zip(LEVELS, (PITCH_MM, 0.0, -PITCH_MM), strict=True):
        top = floor if level is LEVELS[1] else HEIGHT_MM / 2
        inside = column & (z - middle > -HEIGHT_MM / 2) & (z - middle < top)
        labels[inside] = level
    hu = np.where(labels > 0, 200, 60).astype(np.int16)
    affine = np.diag([1.0, 1.0, 1.0, 1.0])[:, [2, 1, 0, 3]]
    found = tuple(LabelledVertebra(v, 1.0, v is LEVELS[1]) for v in LEVELS)
    masks = Segmentation(labels, labels, found, ModelIdentity("test", "1", "0" * 64))
    return measure(CTVolume(hu, affine), masks)[1]


def test_a_narrow_deep_hole_is_a_pit_and_no_fracture() -> None:
    found = measured_l1(hollow_radius_mm=5.0, hollow_depth_mm=8.0)
    assert found.heights_mm is not None
    assert found.fracture is not None
    assert "schmorl_like_pit" in found.flags
    assert found.heights_mm.middle == pytest.approx(HEIGHT_MM, abs=1.0)
    assert found.fracture.grade == 0
    assert "pit in the upper endplate" in found.fracture.sentence


def test_a_broad_hollow_is_a_biconcave_fracture_and_no_pit() -> None:
    found = measured_l1(hollow_radius_mm=12.0, hollow_depth_mm=8.0)
    assert found.fracture is not None
    assert "schmorl_like_pit" not in found.flags
    assert (found.fracture.grade, found.fracture.type) == (2, "biconcave")


def test_a_whole_endplate_has_no_pit() -> None:
    found = measured_l1(hollow_radius_mm=0.0, hollow_depth_mm=0.0)
    assert found.flags == ()
    assert found.fracture is not None
    assert "pit" not in found.fracture.sentence
