"""Presets are data; what cannot be used is refused by name."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from texture import FEATURE_KEYS, PRESETS, REGISTRY, Settings, compute_features
from texture.errors import SettingsError
from texture.extract import preset_identity
from texture.settings import resolve_settings, settings_from_mapping

ONE_MM = (1.0, 1.0, 1.0)


def test_goller2023_is_the_inferred_setting_of_the_paper():
    goller = PRESETS["goller2023"]
    assert (goller.voxel_mm, goller.levels, goller.histogram_bins) == (1.0, 1000, 64)
    assert (goller.quantiser, goller.weighting, goller.aggregation) == (
        "toolbox", "distance", "merged",
    )  # fmt: skip
    assert goller.evidence.startswith("Inferred.")


def test_vallieres_differs_from_goller2023_in_the_bins_alone():
    ours, theirs = (asdict(PRESETS[name]) for name in ("goller2023", "vallieres"))
    different = {key for key in ours if ours[key] != theirs[key]}
    assert different == {"name", "histogram_bins", "evidence"}
    assert theirs["histogram_bins"] == 100


def test_ibsi_has_unit_weights_and_raw_moments(regions):
    ibsi = PRESETS["ibsi"]
    assert (ibsi.quantiser, ibsi.levels, ibsi.weighting) == ("fixed_bin_number", 32, "none")
    hu, mask = regions["vert1mm_roi"]
    assert compute_features(hu, mask, ONE_MM, ibsi)["variance"] == pytest.approx(
        hu[mask].var(), rel=1e-12
    )
    assert preset_identity(ibsi).histogram_bins == 0
    assert preset_identity(Settings("fbs", quantiser="fixed_bin_size")).levels == 0


def test_a_site_may_define_a_preset():
    preset = settings_from_mapping("site", {"levels": 256, "voxel_mm": 0.8, "base": "vallieres"})
    assert (preset.name, preset.levels, preset.voxel_mm) == ("site", 256, 0.8)
    assert preset.histogram_bins == 100
    assert "vallieres" in preset.evidence


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"level": 256}, "unknown key 'level'"),
        ({"levels": 1}, "levels is 1"),
        ({"levels": 100_000}, "levels is 100000"),
        ({"resampling": "linear"}, "centred, toolbox, native"),
        ({"voxel_mm": 0.0}, "voxel_mm"),
        ({"bin_width_hu": -25.0}, "bin_width_hu"),
        ({"histogram_bins": 1}, "histogram_bins"),
        ({"levels": "many"}, "site"),
        ({"base": "nowhere"}, "nowhere"),
    ],
)
def test_a_preset_that_cannot_be_used_names_what_is_wrong(values, word):
    with pytest.raises(SettingsError, match=word):
        settings_from_mapping("site", values)


def test_settings_pass_through_and_names_resolve():
    own = Settings("own", levels=8)
    assert resolve_settings(own) is own
    assert resolve_settings("ibsi") is PRESETS["ibsi"]


def test_fixed_bin_size_counts_bins_from_its_origin(regions):
    hu, mask = regions["small_c"]
    one_level = Settings("wide", quantiser="fixed_bin_size", bin_width_hu=100.0)
    assert compute_features(hu, mask, ONE_MM, one_level)["entropy"] == pytest.approx(0.0, abs=1e-12)
    split = Settings("split", quantiser="fixed_bin_size", bin_width_hu=2.5, bin_origin_hu=-1.0)
    assert compute_features(hu, mask, ONE_MM, split)["entropy"] > 0


def test_bins_too_fine_for_a_dense_matrix_have_a_reason(regions):
    from texture import measure_region

    hu, mask = regions["small_a"]
    fine = Settings("fine", quantiser="fixed_bin_size", bin_width_hu=0.01)
    found = measure_region(hu, mask, ONE_MM, fine)
    assert found.features["energy"] is None
    assert "too many bins" in found.unavailable["features"]


def test_every_feature_has_a_definition_and_its_baseline_holds(regions):
    """On the IBSI digital phantom; a feature without a baseline fails here."""
    hu, mask = regions["ibsi_digital"]
    found = compute_features(hu, mask, ONE_MM, Settings("base", levels=64, histogram_bins=64))
    assert tuple(REGISTRY) == FEATURE_KEYS == tuple(found)
    for key, definition in REGISTRY.items():
        assert definition.key == key
        assert definition.name
        assert definition.formula
        assert definition.unit
        assert len(definition.ibsi_code) == 4
        assert definition.reference
        assert found[key] == pytest.approx(definition.baseline, rel=1e-9)
