"""`spinenode cohort`: the statistics of Goller 2023, Table 2, from a table of vertebrae."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from texture.cohort_data import Cohort, read_cohort
from texture.cohort_models import Covariance, FeatureResult, fit_feature
from texture.cohort_plots import box_plots, forest_plot
from texture.cohort_table import (
    CohortResult,
    p_value,
    write_csv,
    write_json,
    write_markdown,
)
from texture.errors import CohortInputError
from texture.features import FEATURE_KEYS

__all__ = ["CohortOptions", "CohortResult", "analyse_cohort", "run_cohort"]

COVARIANCES = ("pooled", "hc3", "cluster")
MODELS = ("linear", "logistic")


@dataclass(frozen=True)
class CohortOptions:
    """What to compare, and how.

    Attributes
    ----------
    groups
        Reference group and compared group, as they stand in column ``group``.
    features, primary
        Which features, and which of them the study was planned for; the rest is exploratory.
    covariance
        ``pooled`` (as the paper), ``hc3``, or ``cluster`` by ``patient_id``.
    models
        ``linear`` alone, or with ``logistic``.
    """

    groups: tuple[str, str] = ("benign", "malignant")
    features: tuple[str, ...] = FEATURE_KEYS
    primary: tuple[str, ...] = ("energy",)
    covariance: Covariance = "pooled"
    models: tuple[str, ...] = MODELS

    def __post_init__(self) -> None:
        if self.covariance not in COVARIANCES:
            raise CohortInputError(
                f"covariance {self.covariance!r}: expected one of {', '.join(COVARIANCES)}"
            )
        strange = sorted(set(self.models) - set(MODELS))
        if strange:
            raise CohortInputError(f"models {strange}: expected {', '.join(MODELS)}")
        if self.groups[0].lower() == self.groups[1].lower():
            raise CohortInputError(f"groups: {self.groups[0]!r} is named twice")


def run_cohort(csv: Path, out: Path, options: CohortOptions | None = None) -> CohortResult:
    """Analyse a cohort and write ``table2.{md,csv,json}``, forest and box plots to `out`.

    Raises
    ------
    CohortInputError
        If the table cannot be analysed; names file, column, line or group.
    CohortFitError
        If a logistic model has no finite solution (separation).
    """
    chosen = options or CohortOptions()
    cohort = read_cohort(Path(csv), chosen.groups, chosen.features)
    result = analyse_cohort(cohort, chosen)
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    tables = tuple(folder / f"table2.{suffix}" for suffix in ("md", "csv", "json"))
    for path, write in zip(tables, (write_markdown, write_csv, write_json), strict=True):
        write(path, result)
    plots = forest_plot(folder, result) + box_plots(folder, cohort, result)
    return replace(result, files=tables + plots)


def analyse_cohort(cohort: Cohort, options: CohortOptions) -> CohortResult:
    """The statistics without writing anything; errors as `run_cohort`."""
    results = tuple(
        fit_feature(cohort, key, options.covariance, options.models) for key in cohort.features
    )
    roles = {key: "primary" if key in options.primary else "exploratory" for key in cohort.features}
    return CohortResult(
        groups=cohort.groups,
        features=results,
        roles=roles,
        p_adjusted=_adjust(results, roles, options.covariance),
        covariance=options.covariance,
        notes=_notes(cohort, options),
    )


def _adjust(
    results: tuple[FeatureResult, ...], roles: dict[str, str], covariance: Covariance
) -> dict[str, float]:
    adjusted: dict[str, float] = {}
    for role, method in (("primary", _holm), ("exploratory", _benjamini_hochberg)):
        chosen = [result for result in results if roles[result.key] == role]
        p = np.array([p_value(result, covariance) for result in chosen])
        for result, value in zip(chosen, method(p), strict=True):
            adjusted[result.key] = float(value)
    return adjusted


def _holm(p: np.ndarray) -> np.ndarray:
    order = np.argsort(p)
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    result = np.empty_like(p)
    result[order] = np.minimum(stepped, 1.0)
    return result


def _benjamini_hochberg(p: np.ndarray) -> np.ndarray:
    order = np.argsort(p)[::-1]
    scaled = p[order] * len(p) / np.arange(len(p), 0, -1)
    result = np.empty_like(p)
    result[order] = np.minimum(np.minimum.accumulate(scaled), 1.0)
    return result


def _notes(cohort: Cohort, options: CohortOptions) -> tuple[str, ...]:
    covariance = {
        "pooled": "one pooled variance",
        "hc3": "the HC3 covariance",
        "cluster": "a covariance clustered by patient",
    }[options.covariance]
    notes = [
        "Means at the same age and an even mix of sexes; unit: fractured vertebra.",
        f"Intervals and p from {covariance}.",
        "Energy enters the models as its logarithm; its means are printed on its own scale.",
        "p adjusted: Holm within the primary features, Benjamini–Hochberg within the exploratory; "
        "the paper adjusts neither.",
    ]
    if cohort.clusters is not None and options.covariance != "cluster":
        patients, rows = len(np.unique(cohort.clusters)), len(cohort.clusters)
        if patients < rows:
            notes.append(
                f"{rows} vertebrae of {patients} patients are not independent; table2.csv also "
                "holds cluster-robust p."
            )
    return (*notes, *cohort.notes)
