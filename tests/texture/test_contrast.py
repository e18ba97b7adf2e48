"""Contrast phase from the header and the aorta."""

from __future__ import annotations

import numpy as np
import pytest

from inference.volume import Acquisition, CTVolume, SourceSeries
from texture.contrast import contrast_phase

AFFINE = np.array([[0, 0, 1.0, -60], [0, 1.0, 0, -90], [2.0, 0, 0, 0], [0, 0, 0, 1]])
CENTRES = [(0.0, 0.0, 40.0), (0.0, 0.0, 70.0), (0.0, 0.0, 100.0)]


def _torso(aorta_hu, levels_with_aorta=3, agent=None):
    """Fat and muscle around bodies at x = 0, y = 0; an aorta of 18 mm in front on the left."""
    shape = (70, 130, 130)
    random = np.random.default_rng(5)
    z, y, x = np.meshgrid(
        np.arange(70) * 2.0, np.arange(130) - 90.0, np.arange(130) - 60.0, indexing="ij"
    )
    hu = np.full(shape, 45.0)
    hu[y < -45] = -95.0
    inside = (x - 12) ** 2 + (y + 28) ** 2 <= 81
    hu[inside & (z < 20 + 30 * levels_with_aorta)] = aorta_hu
    bodies = np.where((np.abs(x) < 22) & (y**2 < 225), 20, 0).astype(np.uint8)
    hu[bodies > 0] = 180.0
    hu += random.normal(0, 14, shape)
    source = SourceSeries(acquisition=Acquisition(ContrastBolusAgent=agent))
    return CTVolume(np.rint(hu).astype(np.int16), AFFINE, source), bodies


@pytest.mark.parametrize(
    ("aorta_hu", "phase"), [(42.0, "native"), (150.0, "portal_venous"), (320.0, "arterial")]
)
def test_the_aorta_gives_the_phase(aorta_hu, phase):
    assert contrast_phase(*_torso(aorta_hu), CENTRES) == phase


def test_one_level_is_not_enough():
    volume, bodies = _torso(150.0)
    assert contrast_phase(volume, bodies, CENTRES[:1]) is None


def test_levels_that_contradict_each_other_give_no_phase():
    volume, bodies = _torso(300.0, levels_with_aorta=1)
    assert contrast_phase(volume, bodies, CENTRES[:2]) is None


def test_without_an_aorta_the_header_says_that_there_was_contrast():
    volume, bodies = _torso(150.0, agent="IOPROMIDE")
    assert contrast_phase(volume, bodies, []) == "unspecified"
    outside = [(0.0, 0.0, 400.0), (0.0, 0.0, 430.0)]
    assert contrast_phase(volume, bodies, outside) == "unspecified"
