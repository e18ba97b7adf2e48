"""Resampling keeps what is there and uses real neighbours."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from texture import PRESETS, Settings, compute_features
from texture.keys import keys_weights
from texture.roi import bounding_box, prepare_region, sample_positions, widen

GOLLER = PRESETS["goller2023"]


def _ball(spacing, shape=(30, 40, 44), radius=7.0):
    grid = np.indices(shape).astype(float)
    centre = (np.array(shape) - 1) / 2
    square = sum(((g - c) * s) ** 2 for g, c, s in zip(grid, centre, spacing, strict=True))
    return square <= radius**2


@given(st.lists(st.floats(0, 50), min_size=1, max_size=20))
@settings(max_examples=50, deadline=None, derandomize=True)
def test_kernel_weights_sum_to_one(positions):
    np.testing.assert_allclose(keys_weights(np.array(positions)).sum(axis=1), 1.0, atol=1e-12)


@pytest.mark.parametrize("spacing", [(2.0, 0.7, 0.7), (0.6, 0.5, 0.5), (1.25, 1.1, 0.9)])
def test_a_quadratic_is_reproduced_between_the_voxels(spacing):
    """Keys' kernel is of third order: polynomials of second degree pass unchanged."""
    shape = (30, 40, 44)
    k, j, i = (g * s for g, s in zip(np.indices(shape), spacing, strict=True))
    hu = 100 + 2 * k - j + 0.5 * i + 0.05 * k * k - 0.03 * j * i
    mask = _ball(spacing)
    region = prepare_region(hu, mask, spacing, GOLLER)
    box = bounding_box(mask)
    at = []
    for axis in range(3):
        length = box[axis].stop - box[axis].start + 8
        positions = sample_positions(length, spacing[axis], 1.0, "centred")
        at.append((positions + box[axis].start - 4) * spacing[axis])
    k, j, i = np.meshgrid(*at, indexing="ij")
    expected = 100 + 2 * k - j + 0.5 * i + 0.05 * k * k - 0.03 * j * i
    np.testing.assert_allclose(region.hu[region.mask], expected[region.mask], atol=1e-9)


@pytest.mark.parametrize("spacing", [(2.0, 0.7, 0.7), (0.6, 0.5, 0.5), (3.0, 0.4, 0.4)])
def test_volume_and_voxel_size_are_kept(spacing):
    mask = _ball(spacing)
    region = prepare_region(np.zeros(mask.shape), mask, spacing, GOLLER)
    assert region.spacing_kji_mm == pytest.approx((1.0, 1.0, 1.0), rel=0.05)
    before = mask.sum() * np.prod(spacing)
    after = region.mask.sum() * np.prod(region.spacing_kji_mm)
    assert after == pytest.approx(before, rel=0.06)


def test_a_grid_of_the_wanted_voxel_size_is_left_alone():
    hu = np.random.default_rng(1).normal(100, 30, (12, 12, 12))
    mask = _ball((1, 1, 1), (12, 12, 12), 4.0)
    region = prepare_region(hu, mask, (1.0, 1.0, 1.0), GOLLER)
    np.testing.assert_array_equal(region.hu[region.mask], hu[mask])
    native = Settings("native", resampling="native")
    assert compute_features(hu, mask, (3.0, 1.0, 1.0), native) == compute_features(
        hu, mask, (1.0, 1.0, 1.0), GOLLER
    )


def test_centred_resampling_reads_real_neighbours_and_the_toolbox_zeros():
    """In a bright surrounding the toolbox darkens the rim of the region, centred does not."""
    hu = np.full((20, 20, 20), 500.0)
    mask = np.zeros(hu.shape, dtype=bool)
    mask[6:14, 6:14, 6:14] = True
    centred = prepare_region(hu, mask, (2.0, 0.8, 0.8), GOLLER)
    toolbox = prepare_region(hu, mask, (2.0, 0.8, 0.8), Settings("t", resampling="toolbox"))
    np.testing.assert_allclose(centred.hu[centred.mask], 500.0, rtol=1e-12)
    assert toolbox.hu[toolbox.mask].min() < 495.0


def test_where_the_region_lies_in_the_volume_does_not_matter():
    """Also when the frame around it reaches over the edge of the volume."""
    spacing = (2.0, 0.7, 0.7)
    hu = np.random.default_rng(2).normal(150, 40, (30, 40, 44))
    mask = _ball(spacing, radius=6.0)
    box = widen(bounding_box(mask), hu.shape, 4)
    middle = compute_features(hu, mask, spacing)
    cropped = compute_features(hu[box], mask[box], spacing)
    assert cropped == middle
    tight = widen(bounding_box(mask), hu.shape, 2)
    assert prepare_region(hu[tight], mask[tight], spacing, GOLLER).mask.sum() == (
        prepare_region(hu, mask, spacing, GOLLER).mask.sum()
    )
