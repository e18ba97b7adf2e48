"""What must not change a feature, and what must hold of every matrix."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from texture import FEATURE_KEYS, Settings, compute_features
from texture.directions import DIRECTIONS_KJI, direction_weights
from texture.discretise import discretise
from texture.glcm import cooccurrence_matrix
from texture.glrlm import merge_directions, run_length_matrix
from texture.sweep import sweep

ONE_MM = (1.0, 1.0, 1.0)
FINE = Settings("test", levels=40, histogram_bins=16)
MATRIX_KEYS = FEATURE_KEYS[2:]
quick = settings(
    max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)


@st.composite
def regions(draw):
    """HU and mask of at least two different values inside the mask."""
    shape = draw(st.tuples(*[st.integers(2, 6)] * 3))
    hu = draw(hnp.arrays(np.float64, shape, elements=st.integers(-120, 600).map(float)))
    mask = draw(hnp.arrays(np.bool_, shape))
    mask.flat[0] = mask.flat[-1] = True
    if np.ptp(hu[mask]) == 0:
        hu.flat[0] += 1.0
    return hu, mask


def _levels(region, n_levels=FINE.levels):
    hu, mask = region
    return discretise(hu[mask], mask, Settings("test", levels=n_levels))


@quick
@given(regions(), st.tuples(*[st.integers(0, 4)] * 6))
def test_translation_changes_not_a_bit(region, margins):
    hu, mask = region
    pad = [(margins[0], margins[1]), (margins[2], margins[3]), (margins[4], margins[5])]
    moved = np.pad(hu, pad, constant_values=900.0), np.pad(mask, pad)
    assert compute_features(*moved, ONE_MM, FINE) == compute_features(hu, mask, ONE_MM, FINE)


@quick
@given(regions(), st.permutations(range(3)), st.sets(st.integers(0, 2)))
def test_axis_permutations_and_flips_change_nothing(region, axes, flipped):
    hu, mask = region
    turned = [np.flip(a.transpose(axes), tuple(flipped)) for a in region]
    before = compute_features(hu, mask, ONE_MM, FINE)
    after = compute_features(*turned, ONE_MM, FINE)
    assert after["energy"] == before["energy"]
    assert after["entropy"] == before["entropy"]
    for key in FEATURE_KEYS:
        assert after[key] == pytest.approx(before[key], rel=1e-12, abs=1e-15)


@quick
@given(regions(), st.sampled_from([0.25, 0.5, 2.0, 4.0]), st.integers(-64, 64))
def test_an_affine_change_of_hu_leaves_the_matrix_features(region, scale, shift):
    """Scales that are powers of two, so that the change itself is exact."""
    hu, mask = region
    before = compute_features(hu, mask, ONE_MM, FINE)
    after = compute_features(hu * scale + shift, mask, ONE_MM, FINE)
    for key in MATRIX_KEYS:
        assert after[key] == before[key]


@quick
@given(regions())
def test_run_percentage_is_runs_over_voxels(region):
    levels, n_levels = _levels(region)
    counts = sweep(levels, n_levels)
    runs = merge_directions(counts.runs, "distance").sum()
    expected = runs / (counts.n_voxels * direction_weights("distance").sum())
    found = compute_features(*region, ONE_MM, FINE)["rp"]
    assert found == pytest.approx(expected, rel=1e-12)


@quick
@given(regions())
def test_every_direction_covers_every_voxel_once(region):
    levels, n_levels = _levels(region)
    counts = sweep(levels, n_levels)
    lengths = np.arange(counts.runs.shape[1])
    assert (counts.runs @ lengths == counts.n_voxels).all()
    assert (counts.runs >= 0).all()


@quick
@given(regions())
def test_cooccurrences_are_symmetric_and_sum_to_the_neighbour_pairs(region):
    _, mask = region
    levels, n_levels = _levels(region)
    matrix = cooccurrence_matrix(sweep(levels, n_levels), "distance")
    np.testing.assert_array_equal(matrix, matrix.T)
    pairs = 0.0
    padded = np.pad(mask, 1)
    for d, weight in zip(DIRECTIONS_KJI, direction_weights("distance"), strict=True):
        pairs += 2 * weight * np.count_nonzero(padded & np.roll(padded, -d, axis=(0, 1, 2)))
    assert matrix.sum() == pytest.approx(pairs, rel=1e-12)


@quick
@given(regions())
def test_the_merged_matrix_is_the_weighted_sum_over_directions(region):
    levels, n_levels = _levels(region)
    merged = cooccurrence_matrix(sweep(levels, n_levels), "distance")
    single = [
        weight * cooccurrence_matrix(sweep(levels, n_levels, np.array([d])), "none")
        for d, weight in enumerate(direction_weights("distance"))
    ]
    np.testing.assert_allclose(merged, np.sum(single, axis=0), rtol=1e-12)


@quick
@given(regions())
def test_the_sweep_counts_the_runs_of_the_full_matrix(region):
    levels, n_levels = _levels(region, 5)
    by_length = run_length_matrix(levels, n_levels, "distance").sum(axis=0)
    merged = merge_directions(sweep(levels, n_levels).runs, "distance")
    np.testing.assert_allclose(merged[1 : by_length.size + 1], by_length, rtol=1e-12)


@quick
@given(regions())
def test_features_equal_a_brute_force_count(region):
    """Every voxel against its 26 neighbours, in plain Python."""
    hu, mask = region
    levels, n_levels = _levels(region)
    inner = levels[1:-1, 1:-1, 1:-1]
    matrix = np.zeros((n_levels, n_levels))
    for x in map(tuple, np.argwhere(mask)):
        for step in itertools.product((-1, 0, 1), repeat=3):
            y = tuple(np.add(x, step))
            inside = all(0 <= c < n for c, n in zip(y, hu.shape, strict=True))
            if any(step) and inside and mask[y]:
                weight = np.sqrt(np.abs(step).sum())
                matrix[inner[x] - 1, inner[y] - 1] += weight
    found = compute_features(hu, mask, ONE_MM, FINE)
    if matrix.sum() == 0:
        assert found["energy"] is None
        return
    p = matrix[matrix > 0] / matrix.sum()
    assert found["energy"] == pytest.approx((p * p).sum(), rel=1e-11)
    assert found["entropy"] == pytest.approx(-(p * np.log2(p)).sum(), rel=1e-11, abs=1e-11)


def test_any_number_of_threads_gives_the_same_bits(regions_at_random):
    alone = [compute_features(*region, ONE_MM) for region in regions_at_random]
    for n_threads in (2, 8):
        with ThreadPoolExecutor(n_threads) as pool:
            together = list(pool.map(lambda r: compute_features(*r, ONE_MM), regions_at_random))
        assert together == alone


@pytest.fixture(scope="module")
def regions_at_random():
    random = np.random.default_rng(11)
    return [
        (random.normal(150, 60, (18, 20, 22)), random.random((18, 20, 22)) < 0.8) for _ in range(12)
    ]


def test_a_region_too_large_for_packed_counts_gives_the_same_features(monkeypatch):
    random = np.random.default_rng(3)
    hu, mask = random.normal(150, 60, (9, 8, 7)), random.random((9, 8, 7)) < 0.8
    packed = compute_features(hu, mask, ONE_MM)
    monkeypatch.setattr("texture.compute.PACKED_VOXELS", 10)
    monkeypatch.setattr("texture.sweep.PACKED_VOXELS", 10)
    one_by_one = compute_features(hu, mask, ONE_MM)
    for key in FEATURE_KEYS:
        assert one_by_one[key] == pytest.approx(packed[key], rel=1e-12)


def test_the_fullest_cell_fits_its_packed_bits():
    """A constant block of the largest packed size has the most pairs a cell can get."""
    from texture.sweep import CORNER_SHIFT, EDGE_SHIFT, PACKED_VOXELS

    assert 3 * PACKED_VOXELS < 2**EDGE_SHIFT
    assert 6 * PACKED_VOXELS < 2 ** (CORNER_SHIFT - EDGE_SHIFT)
    assert 4 * PACKED_VOXELS < 2 ** (64 - CORNER_SHIFT)
    levels = np.zeros((82, 82, 82), dtype=np.uint16)
    levels[1:-1, 1:-1, 1:-1] = 1
    matrix = cooccurrence_matrix(sweep(levels, 1), "none")
    n = 80
    assert matrix[0, 0] == 2 * (3 * n * n * (n - 1) + 6 * n * (n - 1) ** 2 + 4 * (n - 1) ** 3)
