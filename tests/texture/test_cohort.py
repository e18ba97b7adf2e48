"""The statistics of a cohort, and the errors of one that has none."""

from __future__ import annotations

import json
import math

import numpy as np
import pandas as pd
import pytest

from texture.cohort import CohortOptions, run_cohort
from texture.errors import CohortError, CohortFitError, CohortInputError
from texture.features import FEATURE_KEYS

from .conftest import REFERENCE

SIMULATED = REFERENCE / "cohort_sim.csv"


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    out = tmp_path_factory.mktemp("cohort")
    return out, run_cohort(SIMULATED, out)


@pytest.fixture
def table():
    return pd.read_csv(SIMULATED)


def _run(table, tmp_path, **options):
    path = tmp_path / "cohort.csv"
    table.to_csv(path, index=False)
    return run_cohort(path, tmp_path / "out", CohortOptions(**options))


def _leaves(expected, found, name=""):
    if isinstance(expected, dict):
        for key, value in expected.items():
            yield from _leaves(value, found[key], f"{name}/{key}")
    elif isinstance(expected, list):
        for n, value in enumerate(expected):
            yield from _leaves(value, found[n], f"{name}/{n}")
    else:
        yield name, expected, found


def test_simulated_cohort_gives_the_reference_statistics(simulated):
    out, _ = simulated
    expected = json.loads((REFERENCE / "cohort_sim_table2.json").read_text())
    found = json.loads((out / "table2.json").read_text())["features"]
    leaves = list(_leaves(expected, found))
    assert len(leaves) == 8 * 13
    for name, wanted, value in leaves:
        assert value == pytest.approx(wanted, rel=1e-6), name


def test_tables_and_plots_are_written(simulated):
    out, result = simulated
    names = {path.name for path in result.files}
    assert names == {
        "table2.md", "table2.csv", "table2.json",
        "forest.png", "forest.pdf", "boxplots.png", "boxplots.pdf",
    }  # fmt: skip
    assert (out / "forest.png").read_bytes().startswith(b"\x89PNG")
    assert (out / "boxplots.pdf").read_bytes().startswith(b"%PDF")
    rows = pd.read_csv(out / "table2.csv")
    assert tuple(rows["feature"]) == FEATURE_KEYS
    assert rows["or_per_sd"].notna().all()
    text = (out / "table2.md").read_text()
    assert text.index("**primary**") < text.index("Energy") < text.index("**exploratory**")


def test_primary_features_are_adjusted_apart_from_the_exploratory_ones(simulated):
    _, result = simulated
    p = {r.key: r.p_pooled for r in result.features}
    assert result.p_adjusted["energy"] == p["energy"]
    exploratory = [key for key in p if key != "energy"]
    ranked = sorted(exploratory, key=p.__getitem__)
    assert result.p_adjusted[ranked[0]] == pytest.approx(7 * p[ranked[0]])
    assert all(result.p_adjusted[key] >= p[key] for key in exploratory)


def test_robust_covariances_change_the_interval_and_not_the_mean(simulated, tmp_path):
    _, pooled = simulated
    for covariance in ("hc3", "cluster"):
        options = CohortOptions(features=("skewness",), covariance=covariance, models=("linear",))
        robust = run_cohort(SIMULATED, tmp_path / covariance, options).features[0]
        for a, b in zip(robust.adjusted, pooled.features[1].adjusted, strict=True):
            assert a.mean == pytest.approx(b.mean, rel=1e-12)
            assert a.low != b.low
        assert robust.odds_ratio is None
        assert not (tmp_path / covariance / "forest.png").exists()


def test_hc3_equals_its_textbook_formula(table, tmp_path):
    result = _run(table, tmp_path, features=("entropy",), models=("linear",))
    group = (table["group"] == "malignant").to_numpy(float)
    male = (table["sex"] == "M").to_numpy(float)
    x = np.column_stack([np.ones(len(table)), group, table["age"], male])
    bread = np.linalg.inv(x.T @ x)
    beta = bread @ x.T @ table["entropy"].to_numpy()
    leverage = np.einsum("ij,jk,ik->i", x, bread, x)
    scaled = (table["entropy"].to_numpy() - x @ beta) / (1 - leverage)
    variance = (bread @ (x.T * scaled**2) @ x @ bread)[1, 1]
    from scipy import stats

    p = 2 * stats.t.sf(abs(beta[1]) / math.sqrt(variance), len(table) - 4)
    assert result.features[0].p_hc3 == pytest.approx(p, rel=1e-8)


@pytest.mark.parametrize("column", ["group", "age", "sex", "lre"])
def test_a_missing_column_is_named(table, tmp_path, column):
    with pytest.raises(CohortInputError, match=f"missing column {column}"):
        _run(table.drop(columns=column), tmp_path)


def test_one_group_only_is_refused(table, tmp_path):
    with pytest.raises(CohortInputError, match="no row of group malignant"):
        _run(table[table["group"] == "benign"], tmp_path)


def test_too_few_rows_are_refused_with_their_number(table, tmp_path):
    few = pd.concat([table[table["group"] == "benign"], table[table["group"] == "malignant"][:3]])
    with pytest.raises(CohortInputError, match="too few rows: 3 of group malignant"):
        _run(few, tmp_path)


def test_a_group_of_another_name_is_named(table, tmp_path):
    table.loc[7, "group"] = "metastatic"
    with pytest.raises(CohortInputError, match="metastatic"):
        _run(table, tmp_path)


def test_text_in_place_of_a_number_is_located(table, tmp_path):
    table["age"] = table["age"].astype(object)
    table.loc[4, "age"] = "about 70"
    with pytest.raises(CohortInputError, match="column age, line 6"):
        _run(table, tmp_path)


def test_separation_by_a_feature_is_named(table, tmp_path):
    table["lre"] = (table["group"] == "malignant") * 1.0 + table["lre"]
    with pytest.raises(CohortFitError, match="separation: lre"):
        _run(table, tmp_path, features=("lre",))
    only_linear = _run(table, tmp_path, features=("lre",), models=("linear",))
    assert only_linear.features[0].p_pooled < 1e-100


def test_separation_by_age_is_named(table, tmp_path):
    table["age"] += (table["group"] == "malignant") * 200.0
    with pytest.raises(CohortFitError, match="age and sex alone"):
        _run(table, tmp_path)


def test_a_constant_covariate_is_named(table, tmp_path):
    table["sex"] = "F"
    with pytest.raises(CohortInputError, match="sex is the same in every row"):
        _run(table, tmp_path)


def test_energy_of_zero_is_refused(table, tmp_path):
    table.loc[0, "energy"] = 0.0
    with pytest.raises(CohortInputError, match="energy must be positive"):
        _run(table, tmp_path)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(CohortError, match=r"nowhere\.csv: no such file"):
        run_cohort(tmp_path / "nowhere.csv", tmp_path)


def test_rows_without_a_feature_count_only_for_the_others(table, tmp_path):
    table.loc[:9, "skewness"] = np.nan
    table.loc[20, "age"] = np.nan
    result = _run(table, tmp_path, features=("variance", "skewness"), models=("linear",))
    variance, skewness = result.features
    assert sum(variance.n) == len(table) - 1
    assert sum(skewness.n) == len(table) - 11
    assert any("1 rows without" in note for note in result.notes)


def test_features_are_joined_from_the_files_of_analyze(table, tmp_path):
    """Fractured vertebrae of each patient's features.csv, with group, age and sex of the table."""
    people = []
    for n, row in table[:12].iterrows():
        vertebrae = pd.DataFrame([row, row])[list(FEATURE_KEYS)]
        vertebrae.insert(0, "label", ["L1", "L2"])
        vertebrae.insert(1, "fractured", ["true", "false"])
        vertebrae.loc[:, "variance"] *= [1.0, 100.0]
        vertebrae.to_csv(tmp_path / f"features{n}.csv", index=False)
        group = "benign" if n < 6 else "malignant"
        people.append((f"p{n}", group, row["age"], row["sex"], f"features{n}.csv"))
    columns = ["patient_id", "group", "age", "sex", "features_csv"]
    result = _run(
        pd.DataFrame(people, columns=columns), tmp_path, features=("variance",), models=("linear",)
    )
    assert result.features[0].n == (6, 6)
    assert max(mean.mean for mean in result.features[0].adjusted) < 100
