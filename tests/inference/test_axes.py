from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from inference.axes import canonical_order, to_canonical

ALL_48_ORDERS = [
    (axes, signs) for axes in permutations(range(3)) for signs in product((1, -1), repeat=3)
]


def _affine(axes, signs, spacing_mm=(2.5, 0.7, 0.9), rotation=None):
    affine = np.eye(4)
    directions = np.zeros((3, 3))
    for array_axis, (lps_axis, sign) in enumerate(zip(axes, signs, strict=True)):
        directions[lps_axis, array_axis] = sign * spacing_mm[array_axis]
    affine[:3, :3] = directions if rotation is None else rotation @ directions
    affine[:3, 3] = (-31.5, 12.25, 407.0)
    return affine


def _position_of(value, array, affine):
    index = np.argwhere(array == value)[0]
    return affine[:3, :3] @ index + affine[:3, 3]


@pytest.mark.parametrize(("axes", "signs"), ALL_48_ORDERS)
def test_every_axis_order_becomes_superior_posterior_left(axes, signs):
    """Canonical directions are exactly +z, +y, +x and every voxel stays where it was."""
    affine = _affine(axes, signs)
    array = np.arange(2 * 3 * 4, dtype=np.int16).reshape(2, 3, 4)

    canonical, canonical_affine, order = to_canonical(array, affine)

    directions = canonical_affine[:3, :3] / np.linalg.norm(canonical_affine[:3, :3], axis=0)
    np.testing.assert_allclose(directions, np.eye(3)[:, ::-1], atol=1e-12)
    for value in (0, 1, 7, 23):
        np.testing.assert_allclose(
            _position_of(value, canonical, canonical_affine), _position_of(value, array, affine)
        )
    assert canonical.flags.c_contiguous
    np.testing.assert_array_equal(order.restore(canonical), array)


@given(
    order=st.sampled_from(ALL_48_ORDERS),
    angles_deg=st.tuples(*[st.floats(-30, 30)] * 3),
    shape=st.tuples(*[st.integers(1, 5)] * 3),
)
@settings(max_examples=60, deadline=None)
def test_oblique_volumes_are_permuted_but_never_resampled(order, angles_deg, shape):
    """Every voxel keeps value and place, and restore is the exact inverse."""
    rotation = Rotation.from_euler("xyz", angles_deg, degrees=True).as_matrix()
    affine = _affine(*order, rotation=rotation)
    array = np.random.default_rng(0).permutation(int(np.prod(shape))).reshape(shape)

    canonical, canonical_affine, axis_order = to_canonical(array, affine)

    np.testing.assert_array_equal(axis_order.restore(canonical), array)
    for value in range(0, array.size, 7):
        np.testing.assert_allclose(
            _position_of(value, canonical, canonical_affine),
            _position_of(value, array, affine),
            atol=1e-9,
        )
    along_own_axis = canonical_affine[[2, 1, 0], [0, 1, 2]]
    assert (along_own_axis >= 0).all()


@given(st.floats(-40, 40))
def test_a_rotation_below_45_degrees_keeps_the_axis_names(angle_deg):
    rotation = Rotation.from_euler("x", angle_deg, degrees=True).as_matrix()
    order = canonical_order(_affine((2, 1, 0), (1, 1, 1), rotation=rotation))
    assert order.source_axis == (0, 1, 2)
    assert order.reversed_axis == (False, False, False)


def test_leading_channel_axes_stay_in_front():
    """A stack of probability maps (class, k, j, i) is restored class by class."""
    array = np.arange(2 * 3 * 4).reshape(2, 3, 4)
    canonical, _, order = to_canonical(array, _affine((0, 2, 1), (1, -1, -1)))
    stack = np.stack([canonical, canonical * 10])
    np.testing.assert_array_equal(order.restore(stack), np.stack([array, array * 10]))
    np.testing.assert_array_equal(order.apply(np.stack([array, array])), [canonical, canonical])
