"""Label sources, deformation, and the patches cut out of them."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from inference.networks import OFFSET_UNIT_MM, Tissue
from inference.training.bodies_and_discs import split_bodies
from inference.training.geometry import random_geometry
from inference.training.label_maps import source_from_levels
from inference.training.label_source import (
    LabelSource,
    level_position,
    surface_distance,
    without_steps,
)
from inference.training.patches import PatchDataset, SourceMix, mirrored, patch_from
from inference.training.phantom_source import phantom_source
from inference.training.skull_source import skull_source
from inference.training.surroundings import torso_coordinates
from inference.training.warp import Collapse, collapse_mm, patch_grid_mm, rotation_matrix

SHAPE = (40, 40, 48)


@pytest.fixture(scope="module")
def blocks() -> LabelSource:
    """Five block vertebrae, T11 to L3, each a thick body with a thin arch behind, at 2 mm."""
    labels = np.zeros((50, 60, 100), dtype=np.uint8)
    for number, label in enumerate((22, 21, 20, 19, 18)):
        foot = 8 + 17 * number
        labels[15:35, 30:48, foot : foot + 13] = label
        labels[23:27, 10:30, foot + 3 : foot + 9] = label
    return source_from_levels("blocks", labels, 2.0)


@pytest.fixture(scope="module")
def phantom() -> LabelSource:
    return phantom_source(11)


def test_bodies_are_the_thick_front_parts(blocks):
    bodies = blocks.classes == Tissue.BODY
    assert bodies[20:30, 34:46, 12:18].all()
    assert not bodies[:, :22].any()
    assert (blocks.classes[23:27, 12:20, 12:16] == Tissue.POSTERIOR).all()
    assert sorted(blocks.centres) == [18, 19, 20, 21, 22]


def test_discs_lie_between_neighbouring_bodies_only(blocks):
    heights = np.flatnonzero(blocks.classes[25, 40] == Tissue.DISC)
    assert heights.size
    assert not (blocks.levels[25, 40, heights] > 0).any()
    assert heights.min() > 20
    assert heights.max() < 8 + 17 * 4


def test_a_sliver_of_a_cut_vertebra_is_no_target():
    labels = np.zeros((40, 40, 40), dtype=np.uint8)
    labels[10:30, 15:35, 10:24] = 20
    labels[10:30, 15:35, 39:] = 19
    small = labels.copy()
    small[labels == 19] = 0
    small[20:24, 20:24, 38:] = 19
    source = source_from_levels("cut", small, 2.0)
    assert 19 not in source.centres
    assert not (source.levels == 19).any()
    assert source.classes[22, 22, 39] == Tissue.BACKGROUND


def test_all_bone_that_a_patch_shows_is_in_its_target(phantom):
    """Staircases of the label map would leave its rim to nobody, and teach masks too small."""
    far = np.full_like(phantom.rest_distance, 127)
    source = without_steps(replace(phantom, rest_distance=far))
    shown = nobodys = 0
    for seed in range(4):
        geometry = random_geometry(source, None, (64, 64, 64), np.random.default_rng(seed), 1.0)
        bone = geometry.bone_distance_mm < 0
        shown += bone.sum()
        nobodys += (bone & (geometry.levels == 0)).sum()
    assert shown > 20_000
    assert nobodys < 0.002 * shown


def test_touching_bones_keep_a_gap_in_the_distance():
    groups = np.zeros((20, 20, 20), dtype=np.uint8)
    groups[4:16, 4:16, 4:10] = 1
    groups[4:16, 4:16, 10:16] = 2
    distance = surface_distance(groups, 2.0)
    assert distance[10, 10, 6] < 0
    assert distance[10, 10, 9] > distance[10, 10, 7]
    assert distance[0, 0, 0] > 0


def test_source_survives_its_file(blocks, tmp_path):
    path = tmp_path / "blocks.npz"
    blocks.save(path)
    read = LabelSource.load(path)
    assert read.surroundings is None
    np.testing.assert_array_equal(read.classes, blocks.classes)
    assert read.centres.keys() == blocks.centres.keys()
    assert [p.name for p in tmp_path.iterdir()] == ["blocks.npz"]


def test_procedural_source_has_every_class_and_levels_in_order(phantom):
    assert set(np.unique(phantom.classes)) == set(Tissue)
    from_head = sorted(phantom.centres, key=level_position)
    heights = [phantom.centres[label][2] for label in from_head]
    assert all(a > b for a, b in itertools.pairwise(heights))


def test_procedural_source_is_ordered_right_front_head(phantom):
    """The patient's back (posterior elements) lies at smaller indices of the second axis."""
    body = np.argwhere(phantom.classes == Tissue.BODY).mean(axis=0)
    posterior = np.argwhere(phantom.classes == Tissue.POSTERIOR).mean(axis=0)
    sacrum = np.argwhere(phantom.classes == Tissue.SACRUM).mean(axis=0)
    assert posterior[1] < body[1] - 5
    assert sacrum[2] < body[2]


def test_a_head_has_bone_and_no_vertebra():
    head = skull_source(3)
    geometry = random_geometry(head, None, SHAPE, np.random.default_rng(2))
    assert set(np.unique(head.classes)) == {Tissue.BACKGROUND, Tissue.OTHER_BONE}
    assert (head.rest_distance < 0).any()
    assert not geometry.levels.any()
    np.testing.assert_array_equal(head.classes, skull_source(3).classes)


def test_equal_generators_give_equal_geometry(phantom):
    first, second, other = (
        random_geometry(phantom, None, SHAPE, np.random.default_rng(seed)) for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(first.classes, second.classes)
    np.testing.assert_array_equal(first.offsets, second.offsets)
    assert (first.classes != other.classes).any()


@pytest.mark.parametrize("seed", range(6))
def test_geometry_is_consistent(phantom, seed):
    geometry = random_geometry(phantom, None, SHAPE, np.random.default_rng(seed))
    vertebra = (geometry.classes == Tissue.BODY) | (geometry.classes == Tissue.POSTERIOR)
    assert geometry.classes.shape == SHAPE
    assert geometry.offsets.shape == (3, *SHAPE)
    assert geometry.classes.max() <= max(Tissue)
    np.testing.assert_array_equal(geometry.levels > 0, vertebra)
    assert (geometry.bone_distance_mm[vertebra] < 0).all()
    assert not geometry.offsets[:, ~vertebra].any()


def test_offsets_of_a_body_meet_at_one_point(phantom):
    rng = np.random.default_rng(0)
    geometry = next(
        g
        for g in (random_geometry(phantom, None, SHAPE, rng) for _ in range(20))
        if (g.classes == Tissue.BODY).sum() > 2000
    )
    grid = patch_grid_mm(SHAPE)
    label = np.bincount(geometry.levels[geometry.classes == Tissue.BODY]).argmax()
    own = geometry.levels == label
    ends = grid[own] + OFFSET_UNIT_MM * geometry.offsets[:, own].T
    np.testing.assert_allclose(ends, np.broadcast_to(ends[0], ends.shape), atol=1e-3)
    assert np.unique(geometry.level_values[own]) == [level_position(int(label))]


def test_a_spine_dressed_in_a_torso_gets_its_ribs_but_keeps_its_own_vertebrae(blocks, phantom):
    rng = np.random.default_rng(5)
    dressed = [random_geometry(blocks, phantom, (56, 64, 56), rng) for _ in range(4)]
    assert any((g.classes == Tissue.RIB).any() for g in dressed)
    assert all(set(np.unique(g.levels)) <= {0, *blocks.centres} for g in dressed)


def test_torso_coordinates_pair_equal_levels(blocks, phantom):
    own = blocks.centres[20] * blocks.spacing_mm
    found = torso_coordinates(blocks, phantom, own[None])[0]
    np.testing.assert_allclose(found, phantom.centres[20] * phantom.spacing_mm, atol=1e-6)


@pytest.mark.parametrize(("kind", "front", "back"), [("wedge", 0.5, 0.0), ("crush", 0.5, 0.4)])
def test_collapse_takes_height_where_its_kind_says(kind, front, back):
    """The column above moves down by what the body loses, in front or as a whole."""
    collapse = Collapse(np.zeros(3), height_mm=30.0, radius_mm=20.0, loss=0.5, kind=kind)
    grid = np.array([[[[0.0, 20.0, 60.0]]], [[[0.0, -20.0, 60.0]]]], dtype=np.float32)
    shift = collapse_mm(grid, collapse).ravel()
    assert shift[0] == pytest.approx(front * 30 / 2, abs=0.1)
    assert shift[1] == pytest.approx(back * 0.5 * 30 / 2, abs=0.1)


def test_rotation_keeps_lengths():
    matrix = rotation_matrix((20.0, -10.0, 35.0))
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(matrix) == pytest.approx(1.0)


def test_mirroring_flips_the_sideways_offset(phantom):
    rng = np.random.default_rng(1)
    patch = patch_from(random_geometry(phantom, None, SHAPE, rng), rng)
    twice = mirrored(mirrored(patch))
    for a, b in zip(patch.tensors(), twice.tensors(), strict=True):
        assert a.equal(b)
    once = mirrored(patch)
    assert once.offsets[0, 0, 5, 5] == -patch.offsets[0, -1, 5, 5]
    assert once.offsets[1, 0, 5, 5] == patch.offsets[1, -1, 5, 5]


def test_patch_by_number_is_always_the_same(phantom, blocks):
    mix = SourceMix({"p": [phantom], "b": [blocks]}, {"p": 0.5, "b": 0.5}, [phantom])
    first = PatchDataset(mix, SHAPE, 9, 8)
    again = PatchDataset(mix, SHAPE, 9, 8)
    for a, b in zip(first[6], again[6], strict=True):
        assert a.equal(b)
    assert not first[6][0].equal(first[7][0])


def test_split_ignores_labels_too_small_for_a_vertebra():
    labels = np.zeros((20, 20, 20), dtype=np.uint8)
    labels[5:8, 5:8, 5:8] = 12
    bodies, centres = split_bodies(labels, 2.0)
    assert not bodies.any()
    assert centres == {}
