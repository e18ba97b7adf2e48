"""The dens on C2, and what is none, on small synthetic predictions."""

from __future__ import annotations

import numpy as np
import pytest
from painted_column import spine

from inference.cues import column_cues
from inference.dens import give_dens
from inference.instances import find_instances
from inference.networks import Tissue
from inference.spinal_priors import spacing_mm


def dens_scene(aside=0, top=70.0):
    """C2 to C6 with a peg on C2, whose votes fall 18 mm above the body."""
    scene, centres = spine(range(2, 7), top=top)
    z, y, x = centres[0]
    height = 0.75 * float(spacing_mm(2)) / 4
    away = scene.grid - np.asarray((z, y, x + aside), np.float32)[:, None, None, None]
    peg = (away[0] > height) & (away[0] <= height + 10) & (np.hypot(away[1], away[2]) < 3)
    scene.paint(peg & (scene.tissue == 0), Tissue.POSTERIOR, (z + 9, y, x), 8.0)
    return scene.prediction(), peg


def test_the_dens_belongs_to_c2_and_names_nothing():
    prediction, peg = dens_scene()
    found = find_instances(prediction)
    assert not found.labels[peg].any()
    give_dens(found.labels, prediction, found.instances[0])
    assert (found.labels[peg] == found.instances[0].number).all()


@pytest.mark.parametrize(
    ("aside", "top"), [(9, 70.0), (0, 100.0)], ids=["beside_the_axis", "cut_by_the_view"]
)
def test_other_bone_above_c2_is_no_dens(aside, top):
    prediction, peg = dens_scene(aside, top)
    found = find_instances(prediction)
    give_dens(found.labels, prediction, found.instances[0])
    assert not found.labels[peg].any()


def dens_seen(prediction):
    return column_cues(prediction, find_instances(prediction)).dens_above


def test_a_column_that_ends_with_a_dens_says_so():
    prediction, _ = dens_scene()
    assert dens_seen(prediction)


def test_the_dens_is_looked_for_along_the_neck():
    """A head bent forwards takes it far off the vertical above the body."""
    scene, centres = spine(range(2, 6), top=70.0, lean=0.9)
    up = np.subtract(centres[0], centres[1]) / np.linalg.norm(np.subtract(centres[0], centres[1]))
    away = scene.grid - np.asarray(centres[0], np.float32)[:, None, None, None]
    height = np.tensordot(up, away, axes=1)
    aside = np.sqrt(np.maximum((away**2).sum(axis=0) - height**2, 0))
    scene.paint((height > 2) & (height < 13) & (aside < 3) & (scene.tissue == 0), Tissue.POSTERIOR)
    assert dens_seen(scene.prediction())


@pytest.mark.parametrize(
    ("aside", "top"), [(9, 70.0), (0, 100.0)], ids=["beside_the_axis", "cut_by_the_view"]
)
def test_what_stands_elsewhere_or_leaves_the_view_is_no_sign_of_c2(aside, top):
    prediction, _ = dens_scene(aside, top)
    assert not dens_seen(prediction)


@pytest.mark.parametrize(
    ("missed", "disc"), [(1, True), (2.4, False)], ids=["behind_a_disc", "too_high"]
)
def test_vertebrae_that_were_missed_are_no_dens(missed, disc):
    """Painted as vertebra, but voting for nothing: bone that no instance was made of."""
    scene, centres = spine(range(2, 7), top=60.0)
    step = float(spacing_mm(2)) / 2
    z, y, x = scene.grid - np.asarray(centres[0], np.float32)[:, None, None, None]
    column = np.hypot(y, x) < 6
    above = (z > 0.375 * step) & (z < (missed + 0.375) * step) & column
    scene.paint(above & (scene.tissue == 0), Tissue.BODY)
    if disc:
        scene.paint((z > 0.375 * step) & (z < 0.625 * step) & column, Tissue.DISC)
    assert not dens_seen(scene.prediction())


def test_a_body_with_nothing_above_is_no_sign_of_c2():
    """C1, or a vertebra under others that the network does not see at all."""
    scene, _ = spine(range(2, 7), top=70.0)
    assert not dens_seen(scene.prediction())
