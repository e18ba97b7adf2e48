"""Masks on the source grid: sub-voxel surfaces, one owner per voxel, bodies inside labels."""

from __future__ import annotations

import numpy as np
import pytest

from inference.axes import canonical_order
from inference.completeness import cut_by_view
from inference.fusion import SoftMask, fuse
from inference.networks import Tissue
from inference.preprocess import NetworkGrid, PreparedVolume
from inference.sliding import VoxelPrediction


def source_of(spacing, size_mm=80.0, hu=0):
    shape = tuple(round(size_mm / s) for s in spacing)
    order = canonical_order(np.diag([1.0, 1.0, 1.0, 1.0]))
    grid = NetworkGrid(order, shape, tuple(spacing), (0, 0, 0), shape)
    nothing = np.zeros((40, 40, 40), dtype=np.float32)
    return PreparedVolume(nothing, np.full(shape, hu, dtype=np.int16), grid)


def soft_ball(shape, centre_mm, radius_mm, voxel_mm):
    """Inside share of every voxel of a ball, and distance from its centre in mm."""
    index = np.indices(shape, dtype=float)
    place = [(i + 0.5) * v - c for i, v, c in zip(index, voxel_mm, centre_mm, strict=True)]
    distance = np.sqrt(sum(p**2 for p in place))
    return np.clip((radius_mm - distance) / 2 + 0.5, 0, 1).astype(np.float32), distance


def scene(balls, shape=(40, 40, 40), tissue=Tissue.BODY):
    """Prediction and instance labels of balls (centre, radius) in mm on the 2 mm grid."""
    probabilities = np.zeros((len(Tissue), *shape), dtype=np.float32)
    labels = np.zeros(shape, dtype=np.uint8)
    for number, (centre, radius) in enumerate(balls, start=1):
        soft, _ = soft_ball(shape, centre, radius, (2, 2, 2))
        probabilities[tissue] = np.maximum(probabilities[tissue], soft)
        labels[soft > 0.5] = number
    probabilities[Tissue.BACKGROUND] = 1 - probabilities.sum(axis=0)
    zeros = np.zeros(shape, dtype=np.float32)
    prediction = VoxelPrediction(
        probabilities, np.stack([zeros] * 3), zeros, np.ones(shape, dtype=bool)
    )
    return prediction, labels


NOTHING = np.zeros((40, 40, 40), dtype=bool)


@pytest.mark.parametrize("spacing", [(1, 1, 1), (0.7, 0.9, 0.8), (5, 0.8, 0.8), (3, 3, 3)])
def test_a_ball_keeps_place_and_size_on_any_source_grid(spacing):
    """Nearest-neighbour labels of the 2 mm grid would miss by up to a voxel."""
    prediction, labels = scene([((41, 38, 43), 18)])
    source = source_of(spacing)
    masks = fuse(prediction, labels, {1: 20}, NOTHING, source)
    truth, distance = soft_ball(source.source_hu.shape, (41, 38, 43), 18, spacing)
    wrong = (masks.labels == 20) != (truth > 0.5)
    assert np.abs(distance[wrong] - 18).max(initial=0) < 0.75
    assert np.array_equal(masks.bodies, masks.labels)


@pytest.mark.parametrize(("from_mm", "to_mm", "slices"), [(22, 24, [4]), (23, 27, [])])
def test_a_thick_slice_is_decided_at_its_centre(from_mm, to_mm, slices):
    """5 mm slices have their centres at 22.5 and 27.5 mm; a mean over them would lose the first."""
    prediction, labels = scene([((22, 40, 40), 12)])
    whole = np.zeros((80, 80, 80), dtype=np.float32)
    whole[from_mm:to_mm] = 1.0
    everywhere = tuple(slice(0, 40) for _ in range(3))

    def fine(_owner, _number, _extent):
        return SoftMask(everywhere, whole, whole)

    masks = fuse(prediction, labels, {1: 20}, NOTHING, source_of((5, 1, 1)), fine)
    assert np.flatnonzero((masks.labels == 20).any(axis=(1, 2))).tolist() == slices


def test_touching_vertebrae_share_no_voxel_and_leave_no_gap():
    prediction, labels = scene([((28, 40, 40), 14), ((54, 40, 40), 14)])
    masks = fuse(prediction, labels, {1: 22, 2: 21}, NOTHING, source_of((1, 1, 1)))
    line = masks.labels[:, 40, 40]
    inside = np.flatnonzero(line)
    assert set(line[inside[0] : inside[-1] + 1]) == {22, 21}
    assert np.count_nonzero(np.diff(line[inside].astype(int))) == 1


def test_bodies_lie_inside_labels_and_posterior_elements_are_no_bodies():
    prediction, labels = scene([((40, 30, 40), 14)])
    arch, _ = soft_ball((40, 40, 40), (40, 58, 40), 10, (2, 2, 2))
    prediction.probabilities[Tissue.POSTERIOR] = arch
    prediction.probabilities[Tissue.BODY] *= 1 - arch
    labels[arch > 0.5] = 1
    masks = fuse(prediction, labels, {1: 8}, NOTHING, source_of((1, 1, 1)))
    assert masks.labels[40, 58, 40] == 8
    assert masks.bodies[40, 58, 40] == 0
    assert masks.bodies[40, 30, 40] == 8
    assert not (masks.bodies[masks.labels == 0]).any()


def test_faint_processes_are_kept_where_the_source_shows_bone_but_bodies_never_grow():
    """A spinous process at 42 per cent, in bone and in soft tissue."""
    prediction, labels = scene([((40, 30, 40), 12)])
    prediction.probabilities[Tissue.POSTERIOR, 19:21, 21:24, 19:21] = 0.42
    in_bone = fuse(prediction, labels, {1: 8}, NOTHING, source_of((1, 1, 1), hu=400))
    in_muscle = fuse(prediction, labels, {1: 8}, NOTHING, source_of((1, 1, 1), hu=60))
    assert in_bone.labels[40, 44, 40] == 8
    assert in_muscle.labels[40, 44, 40] == 0
    assert np.array_equal(in_bone.bodies, in_muscle.bodies)


def test_what_was_dropped_at_2_mm_does_not_return_next_to_a_vertebra():
    prediction, labels = scene([((40, 30, 40), 10), ((40, 54, 40), 10)])
    labels[labels == 2] = 0
    masks = fuse(prediction, labels, {1: 8}, NOTHING, source_of((1, 1, 1)))
    assert masks.labels[40, 30, 40] == 8
    assert not masks.labels[:, 46:, :].any()


def test_the_sacrum_is_26_and_has_no_body():
    prediction, _ = scene([((40, 40, 40), 12)], tissue=Tissue.SACRUM)
    sacrum = prediction.probabilities[Tissue.SACRUM] > 0.5
    empty = np.zeros((40, 40, 40), dtype=np.uint8)
    masks = fuse(prediction, empty, {}, sacrum, source_of((2, 1, 1)))
    assert set(np.unique(masks.labels)) == {0, 26}
    assert not masks.bodies.any()


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("end", [0, -1])
def test_a_body_on_any_border_is_cut(axis, end):
    bodies = np.zeros((12, 12, 12), dtype=np.uint8)
    bodies[4:8, 4:8, 4:8] = 20
    assert not cut_by_view(bodies, 20, (0, 12))
    np.moveaxis(bodies, axis, 0)[end, 4:8, 4:8] = 20
    assert cut_by_view(bodies, 20, (0, 12))
    assert not cut_by_view(bodies, 21, (0, 12))


@pytest.mark.parametrize(
    ("seen", "cut"),
    [
        ((0, 12), False),
        ((2, 10), False),
        ((3, 12), True),  # slice 4 is beside padding, which may be blended into slice 3
        ((0, 9), True),
        ((6, 12), True),
        ((0, 6), True),
        ((9, 12), True),
        ((0, 1), True),
    ],
)
def test_a_body_that_padding_reaches_is_cut(seen, cut):
    bodies = np.zeros((12, 12, 12), dtype=np.uint8)
    bodies[4:8, 4:8, 4:8] = 20
    assert cut_by_view(bodies, 20, seen) == cut
