"""The engine gives the reference's numbers."""

from __future__ import annotations

import json

import numpy as np
import pytest

from texture import Settings, compute_features
from texture.compute import measure_region
from texture.discretise import discretise
from texture.glcm import cooccurrence_matrix
from texture.glrlm import run_length_matrix
from texture.roi import prepare_region
from texture.sweep import sweep

from .conftest import REFERENCE

CASES = json.loads((REFERENCE / "vectors.json").read_text())["cases"]
PLAIN = [case for case in CASES if "input" in case]
MATRIX = [(c["name"], row) for c in PLAIN for row in c["matrix"]]
GLOBAL = [(c["name"], row) for c in PLAIN for row in c["global_"]]
ANISOTROPIC = [c for c in CASES if c["name"] == "vert_aniso"]
MATRIX_KEYS = ("Energy", "Entropy", "SRE", "LRE", "RLN", "RP")
ONE_MM = (1.0, 1.0, 1.0)


@pytest.mark.parametrize(("name", "row"), MATRIX, ids=[f"{n}-{r['Ng']}" for n, r in MATRIX])
def test_matrix_features_equal_the_toolbox(name, row, regions):
    hu, mask = regions[name]
    found = compute_features(hu, mask, ONE_MM, Settings("vector", levels=row["Ng"]))
    for key in MATRIX_KEYS:
        assert found[key.lower()] == pytest.approx(row[key], rel=1e-9)


@pytest.mark.parametrize(("name", "row"), GLOBAL, ids=[f"{n}-{r['bins']}" for n, r in GLOBAL])
def test_histogram_features_equal_exact_arithmetic(name, row, regions):
    hu, mask = regions[name]
    found = compute_features(hu, mask, ONE_MM, Settings("vector", histogram_bins=row["bins"]))
    assert found["variance"] == pytest.approx(row["exact_hist"]["Variance"], rel=1e-9)
    assert found["skewness"] == pytest.approx(row["exact_hist"]["Skewness"], rel=1e-9)


@pytest.mark.parametrize(
    ("name", "n_levels"), [("small_a", 8), ("small_b", 4), ("small_c", 6), ("ibsi_digital", 9)]
)
def test_matrices_equal_the_toolbox_cell_by_cell(name, n_levels, regions):
    hu, mask = regions[name]
    with np.load(REFERENCE / "matrices.npz") as stored:
        expected = {
            key: stored[f"{name}_Ng{n_levels}.{key}"] for key in ("quantised", "glcm", "glrlm")
        }
    levels, count = discretise(hu[mask], mask, Settings("vector", levels=n_levels))
    np.testing.assert_array_equal(levels[1:-1, 1:-1, 1:-1], expected["quantised"])
    glcm = cooccurrence_matrix(sweep(levels, count), "distance")
    np.testing.assert_allclose(glcm, expected["glcm"], rtol=1e-9, atol=0)
    glrlm = run_length_matrix(levels, count, "distance")
    np.testing.assert_allclose(glrlm, expected["glrlm"], rtol=1e-9, atol=0)


def _anisotropic() -> tuple[np.ndarray, np.ndarray]:
    with np.load(REFERENCE / "inputs.npz") as stored:
        return stored["vert_aniso_img"].astype(np.float64), stored["vert_aniso_mask"] > 0


@pytest.mark.parametrize("case", ANISOTROPIC, ids=lambda case: case["scale"])
def test_toolbox_resampling_gives_the_toolbox_features(case):
    hu, mask = _anisotropic()
    scale = 1.0 if case["scale"] == "1.0" else 0.8
    settings = Settings("vector", voxel_mm=scale, resampling="toolbox", histogram_bins=100)
    found = measure_region(hu, mask, tuple(case["spacing"]), settings)
    assert found.n_voxels == case["nvox"]
    for key in MATRIX_KEYS:
        assert found.features[key.lower()] == pytest.approx(case[key], rel=1e-9)
    # In-plane voxels keep their whole HU at this scale, and Octave's histogram moves the values
    # that lie on a bin edge, as the vectors' own "tie" flag says of the other regions.
    tolerance = 1e-9 if case["scale"] == "1.0" else 2e-5
    assert found.features["variance"] == pytest.approx(case["Variance"], rel=tolerance)
    assert found.features["skewness"] == pytest.approx(case["Skewness"], rel=tolerance)


def test_toolbox_resampling_gives_the_toolbox_voxels():
    hu, mask = _anisotropic()
    settings = Settings("vector", resampling="toolbox")
    region = prepare_region(hu, mask, (0.8, 0.8, 2.0), settings)
    with np.load(REFERENCE / "vert_aniso_resampled.npz") as stored:
        expected = stored["hu"]
    np.testing.assert_array_equal(region.mask, np.isfinite(expected))
    np.testing.assert_allclose(region.hu[region.mask], expected[region.mask], rtol=1e-9, atol=1e-9)


def test_unit_weights_reproduce_the_ibsi_digital_phantom(vectors, regions):
    """To every digit the consensus prints, merged and averaged over directions."""
    hu, mask = regions["ibsi_digital"]
    consensus = vectors["ibsi_digital_phantom_consensus"]
    names = {
        "energy": "cm_energy",
        "entropy": "cm_joint_entr",
        "sre": "rlm_sre",
        "lre": "rlm_lre",
        "rln": "rlm_rlnu_norm",
        "rp": "rlm_r_perc",
    }
    for aggregation, suffix in (("merged", "3D_comb"), ("averaged", "3D_avg")):
        settings = Settings(
            "phantom",
            quantiser="fixed_bin_size",
            bin_width_hu=1.0,
            histogram="raw",
            weighting="none",
            aggregation=aggregation,
        )
        found = compute_features(hu, mask, ONE_MM, settings)
        for key, name in names.items():
            expected = consensus[f"{name}_{suffix}"]
            assert float(f"{found[key]:.3g}") == expected, (aggregation, key)
        assert round(found["variance"], 2) == consensus["stat_var"]
        assert round(found["skewness"], 2) == consensus["stat_skew"]


def test_every_direction_rule_agrees_with_other_tools(shared_reference, vectors):
    """An L3 body with 1000 levels, as pyradiomics and mirp compute it."""
    roi = np.load(shared_reference / "inputs" / "bench_L3_roi.npy")
    rules = {
        "unweighted_merged": {"weighting": "none"},
        "toolbox_weighted": {},
        "per_direction_average": {"weighting": "none", "aggregation": "averaged"},
    }
    for name, rule in rules.items():
        found = compute_features(roi, np.isfinite(roi), ONE_MM, Settings("vector", **rule))
        for key, value in vectors["cross_tool_L3"][name].items():
            assert found[key.lower()] == pytest.approx(value, rel=1e-9)
