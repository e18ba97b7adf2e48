"""A region without an answer gives null and a reason: never NaN, never a crash."""

from __future__ import annotations

import math

import numpy as np
import pytest

from texture import FEATURE_KEYS, PRESETS, RegionTexture, Settings, compute_features, measure_region
from texture.errors import RegionError, SettingsError

ONE_MM = (1.0, 1.0, 1.0)
SHAPE = (6, 7, 8)


def _random_hu() -> np.ndarray:
    return np.random.default_rng(0).normal(150.0, 40.0, SHAPE)


def _block() -> np.ndarray:
    mask = np.zeros(SHAPE, dtype=bool)
    mask[1:5, 1:6, 1:7] = True
    return mask


def _single() -> np.ndarray:
    mask = np.zeros(SHAPE, dtype=bool)
    mask[3, 3, 3] = True
    return mask


def _with(value: float) -> np.ndarray:
    hu = _random_hu()
    hu[2, 2, 2] = value
    return hu


DEGENERATE = {
    "empty": (_random_hu(), np.zeros(SHAPE, dtype=bool), "empty"),
    "constant": (np.full(SHAPE, 100.0), _block(), "constant"),
    "one voxel": (_random_hu(), _single(), "single voxel"),
    "nan": (_with(math.nan), _block(), "not finite"),
    "inf": (_with(math.inf), _block(), "not finite"),
    "metal": (_with(3071.0), _block(), "foreign material"),
}


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("name", DEGENERATE)
def test_no_answer_is_null_with_a_reason(name, preset):
    hu, mask, word = DEGENERATE[name]
    found = measure_region(hu, mask, ONE_MM, preset)
    assert isinstance(found, RegionTexture)
    assert tuple(found.features) == FEATURE_KEYS
    assert set(found.features.values()) == {None}
    assert word in found.unavailable["features"]


@pytest.mark.parametrize("preset", PRESETS)
def test_two_voxels_that_do_not_touch_have_runs_and_no_cooccurrence(preset):
    hu, mask = _random_hu(), _single()
    mask[0, 0, 0] = True
    found = measure_region(hu, mask, ONE_MM, preset)
    assert found.features["energy"] is None
    assert found.features["entropy"] is None
    assert found.features["sre"] == found.features["rp"] == 1.0
    assert set(found.unavailable) == {"energy", "entropy"}
    assert "no two voxels" in found.unavailable["energy"]


@pytest.mark.parametrize("aggregation", ["merged", "averaged"])
def test_a_line_of_voxels_is_enough(aggregation):
    mask = np.zeros(SHAPE, dtype=bool)
    mask[2, 2, :] = True
    settings = Settings("line", weighting="none", aggregation=aggregation)
    found = compute_features(_random_hu(), mask, ONE_MM, settings)
    assert all(math.isfinite(value) for value in found.values())


def test_a_region_smaller_than_a_voxel_is_named():
    found = measure_region(_random_hu(), _single(), (0.1, 0.1, 0.1), "goller2023")
    assert found.features["energy"] is None
    assert found.unavailable


def test_undefined_values_outside_the_region_do_no_harm():
    hu = _random_hu()
    outside = np.where(_block(), hu, math.nan)
    assert compute_features(outside, _block(), ONE_MM) == compute_features(hu, _block(), ONE_MM)


def test_integer_hu_and_integer_masks_are_accepted():
    hu = np.rint(_random_hu())
    whole = compute_features(hu.astype(np.int16), _block().astype(np.uint8), ONE_MM)
    assert whole == compute_features(hu, _block(), ONE_MM)


def test_the_input_arrays_are_left_as_they_were():
    hu, mask = _random_hu(), _block()
    kept = hu.copy(), mask.copy()
    compute_features(hu, mask, (2.0, 0.7, 0.7))
    np.testing.assert_array_equal(hu, kept[0])
    np.testing.assert_array_equal(mask, kept[1])


@pytest.mark.parametrize(
    ("shape", "spacing"), [((6, 7, 9), ONE_MM), (SHAPE, (1.0, 0.0, 1.0)), (SHAPE, (1.0, 1.0))]
)
def test_arrays_and_spacing_that_do_not_fit_are_refused(shape, spacing):
    with pytest.raises(RegionError):
        compute_features(_random_hu(), np.ones(shape, dtype=bool), spacing)


def test_an_unknown_preset_is_refused():
    with pytest.raises(SettingsError, match="known: goller2023, vallieres, ibsi"):
        compute_features(_random_hu(), _block(), ONE_MM, "goller")
