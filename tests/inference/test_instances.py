"""Vertebrae from offset votes on small synthetic predictions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from painted_column import SHAPE, Scene, spine

from inference.cues import column_cues
from inference.instances import find_instances
from inference.networks import Tissue
from inference.spinal_priors import spacing_mm


def found_centres(scene):
    return np.asarray([i.centre for i in find_instances(scene.prediction()).instances])


@settings(max_examples=3, deadline=None)
@given(bend=st.floats(0, 9), first=st.integers(3, 18))
def test_every_vertebra_is_found_once_from_head_to_foot(bend, first):
    """From the small cervical to the large lumbar ones, in a straight or a bent column."""
    scene, centres = spine(range(first, first + 6), bend=bend)
    found = found_centres(scene)
    assert len(found) == len(centres)
    assert np.abs(found - centres).max() < 2.0


def test_a_column_goes_on_above_a_missing_vertebra():
    scene, centres = spine(range(17, 23), skip=(20,))
    assert np.abs(found_centres(scene) - centres).max() < 2.0


def test_a_collapsed_body_that_stands_close_to_its_neighbours_is_found():
    """Half as high as usual, and the next body below has moved up by as much."""
    levels, scene, centres, z = (18, 19, 20, 21, 22), Scene(), [], 100.0
    for above, level in zip((None, *levels), levels, strict=False):
        flat = 0.5 if 20 in (above, level) else 0.0
        z -= 0.0 if above is None else float(spacing_mm(level - 0.5)) / 2 * (1 - 0.68 * flat)
        share = 0.5 if level == 20 else 1.0
        centre = (z, 22.0, 32.0)
        scene.vertebra(centre, level, height=share * 0.75 * float(spacing_mm(level)) / 2)
        centres.append(centre)
    found = found_centres(scene)
    assert len(found) == len(centres)
    assert np.abs(found - centres).max() < 2.0


def test_bodies_above_a_collapsed_one_are_not_lost_with_it():
    """Its level is read wrong and its neighbours are near: no link over it pays for itself."""
    scene, centres = spine(range(19, 23), top=70.0)
    z = 70.0
    for seen_as, height, step in ((14.5, 5, 9.5), (17.5, 9, 9.5)):
        z += step
        centre = (z, 22.0, 32.0)
        scene.vertebra(centre, seen_as, height=height, radius=8)
        centres.append(centre)
    found = found_centres(scene)
    assert len(found) == len(centres)


def test_a_piece_at_the_edge_is_not_given_to_the_body_below_it():
    """The lower part of a cut body, close to a collapsed one."""
    scene, centres = spine(range(19, 23), top=84.0)
    scene.vertebra((96.5, 22.0, 32.0), 18.0, height=5)
    piece = (scene.grid[0] >= 108) & (scene.grid[2] > 24) & (scene.grid[2] < 41)
    piece &= (scene.grid[1] > 14) & (scene.grid[1] < 31)
    scene.paint(piece, Tissue.BODY, (106.5, 22.0, 32.0), 17.0)
    found = find_instances(scene.prediction())
    assert not found.labels[piece].any()
    assert len(found.instances) == len(centres) + 1


def test_body_shaped_bones_beside_the_column_are_left_out():
    """Two femoral heads at the height of a body, far to its sides."""
    scene, centres = spine(range(18, 23))
    for x in (6.0, 58.0):
        scene.vertebra((centres[-1][0], 22.0, x), 24.0, radius=5)
    assert len(found_centres(scene)) == len(centres)


def test_bones_without_an_arch_are_no_vertebrae():
    scene = Scene()
    for x in (16.0, 48.0):
        z, y, lateral = scene.grid - np.asarray((50.0, 30.0, x))[:, None, None, None]
        ball = z**2 + y**2 + lateral**2 < 100
        scene.paint(ball, Tissue.BODY, (50.0, 30.0, x), 24.0)
    assert find_instances(scene.prediction()).instances == ()


def test_a_scan_without_bodies_has_no_instances():
    found = find_instances(Scene().prediction())
    assert found.instances == ()
    assert not found.labels.any()


def test_a_process_given_to_the_wrong_body_returns_to_the_one_it_hangs_on():
    """Votes for the neighbour, but attached to its own vertebra."""
    scene, centres = spine(range(19, 23))
    upper, own = centres[1], centres[2]
    z, y, x = scene.grid - np.asarray(own, np.float32)[:, None, None, None]
    tip = (np.abs(z) <= 2) & (y >= 18) & (y < 23) & (np.abs(x) < 4)
    scene.paint(tip, Tissue.POSTERIOR, upper, 20.0)
    found = find_instances(scene.prediction())
    assert set(np.unique(found.labels[tip])) == {found.instances[2].number}


@pytest.mark.parametrize(("reach", "kept"), [(112.0, True), (108.0, False)])
def test_the_arch_of_a_cut_vertebra_is_its_own_where_the_pedicles_lie_beyond_the_view(reach, kept):
    """It touches the arch below and not its own body, and goes on beyond the end as that does."""
    scene, centres = spine(range(19, 23), top=109.0 - float(spacing_mm(18.5)) / 2)
    z, y, x = scene.grid
    cut = (108.0, 22.0, 32.0)
    scene.paint((z > 102) & (np.hypot(y - 22, x - 32) < 9), Tissue.BODY, cut, 18.0)
    arch = (z > centres[0][0] + 2) & (z < reach) & (y > 36) & (y < 45) & (np.abs(x - 32) < 4)
    scene.paint(arch, Tissue.POSTERIOR, cut, 18.0)
    found = find_instances(scene.prediction())
    upper, lower = found.instances[:2]
    assert upper.touches_border
    assert set(np.unique(found.labels[arch])) == {upper.number if kept else lower.number}


def test_islands_far_from_their_vertebra_are_removed():
    scene, centres = spine(range(19, 23))
    speck = (slice(2, 4), slice(2, 4), slice(2, 4))
    where = np.zeros(SHAPE, dtype=bool)
    where[speck] = True
    scene.paint(where, Tissue.POSTERIOR, centres[-1], 22.0)
    assert not find_instances(scene.prediction()).labels[speck].any()


def test_ribs_and_sacrum_become_cues():
    """A rib at one vertebra only, and the sacrum under the last."""
    scene, centres = spine(range(20, 24))
    z, y, x = scene.grid - np.asarray(centres[0], np.float32)[:, None, None, None]
    ribs = (np.abs(z) < 3) & (np.abs(x) >= 10) & (np.abs(x) < 25) & (np.abs(y - 4) < 2)
    scene.paint(ribs, Tissue.RIB)
    z, y, x = scene.grid - np.asarray(centres[-1], np.float32)[:, None, None, None]
    scene.paint((z < -9) & (z > -25) & (np.hypot(y, x) < 10), Tissue.SACRUM)
    prediction = scene.prediction()
    cues = column_cues(prediction, find_instances(prediction))
    assert [row.ribs for row in cues.vertebrae] == [1.0, 0.0, 0.0, 0.0]
    assert cues.sacrum_below_mm is not None
    assert 15 < cues.sacrum_below_mm < 30
