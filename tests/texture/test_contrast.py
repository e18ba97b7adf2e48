"""Contrast phase from the header and the aorta."""

from __future__ import annotations

import numpy as np
import pytest

from inference.anatomy import VertebraLevel
from inference.volume import Acquisition, CTVolume, SourceSeries
from texture.contrast import contrast_phase

L1, L2, L3, L4 = (VertebraLevel[name] for name in ("L1", "L2", "L3", "L4"))
CENTRES = {L3: (0.0, 0.0, 40.0), L2: (0.0, 0.0, 70.0), L1: (0.0, 0.0, 100.0)}
KIDNEYS_FROM_MM = 55.0


def _torso(aorta_hu, levels_with_aorta=3, agent=None, kidney_hu=None):
    """Fat and muscle around bodies at x = 0, y = 0; an aorta of 18 mm in front on the left.

    Kidneys lie beside the upper two bodies; without `kidney_hu` the view does not reach them.
    """
    beside = 60 if kidney_hu is None else 90
    shape = (70, 130, 2 * beside)
    random = np.random.default_rng(5)
    z, y, x = np.meshgrid(
        np.arange(70) * 2.0, np.arange(130) - 90.0, np.arange(2 * beside) - beside, indexing="ij"
    )
    hu = np.full(shape, 45.0)
    hu[y < -45] = -95.0
    inside = (x - 12) ** 2 + (y + 28) ** 2 <= 81
    hu[inside & (z < 20 + 30 * levels_with_aorta)] = aorta_hu
    if kidney_hu is not None:
        hu[((np.abs(x) - 45) ** 2 + y**2 <= 196) & (z > KIDNEYS_FROM_MM)] = kidney_hu
    bodies = np.where((np.abs(x) < 22) & (y**2 < 225), 20, 0).astype(np.uint8)
    hu[bodies > 0] = 180.0
    hu += random.normal(0, 14, shape)
    source = SourceSeries(acquisition=Acquisition(ContrastBolusAgent=agent))
    affine = np.array([[0, 0, 1.0, -beside], [0, 1.0, 0, -90], [2.0, 0, 0, 0], [0, 0, 0, 1]])
    return CTVolume(np.rint(hu).astype(np.int16), affine, source), bodies


@pytest.mark.parametrize(
    ("aorta_hu", "phase"), [(42.0, "native"), (150.0, "portal_venous"), (320.0, "arterial")]
)
def test_the_aorta_gives_the_phase(aorta_hu, phase):
    assert contrast_phase(*_torso(aorta_hu), CENTRES) == phase


def test_one_level_is_not_enough():
    volume, bodies = _torso(150.0)
    assert contrast_phase(volume, bodies, {L1: CENTRES[L1]}) is None


def test_levels_that_contradict_each_other_give_no_phase():
    volume, bodies = _torso(300.0, levels_with_aorta=1)
    assert contrast_phase(volume, bodies, {L3: CENTRES[L3], L2: CENTRES[L2]}) is None


def test_without_an_aorta_the_header_says_that_there_was_contrast():
    volume, bodies = _torso(150.0, agent="IOPROMIDE")
    assert contrast_phase(volume, bodies, {}) == "unspecified"
    outside = {L2: (0.0, 0.0, 400.0), L1: (0.0, 0.0, 430.0)}
    assert contrast_phase(volume, bodies, outside) == "unspecified"


@pytest.mark.parametrize(
    ("aorta_hu", "kidney_hu", "phase"),
    [(320.0, 150.0, "arterial"), (40.0, 34.0, "native"), (60.0, 190.0, "late")],
)
def test_kidneys_speak_where_they_lie(aorta_hu, kidney_hu, phase):
    assert contrast_phase(*_torso(aorta_hu, kidney_hu=kidney_hu), CENTRES) == phase


def test_dark_kidneys_beside_something_bright_in_front_are_no_contrast_agent():
    assert contrast_phase(*_torso(150.0, kidney_hu=34.0), CENTRES) is None


def test_muscle_below_the_kidneys_does_not_hide_the_contrast_agent():
    """Bodies named one too high, or a scan of L3 and L4 alone: beside them there is psoas only."""
    torso = _torso(320.0, kidney_hu=150.0)
    lower = {L3: (0.0, 0.0, 25.0), L4: (0.0, 0.0, 45.0)}
    assert contrast_phase(*torso, lower) == "arterial"
    named_too_high = {L1: (0.0, 0.0, 70.0), L2: (0.0, 0.0, 40.0), L3: (0.0, 0.0, 15.0)}
    assert contrast_phase(*torso, named_too_high) == "arterial"
