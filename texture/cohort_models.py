"""The models of Table 2: adjusted means by least squares, odds ratios by logistic regression.

Least squares: ``feature ~ group + age + male``. The adjusted mean of a group is the prediction
at the mean age with both sexes weighted equally (as SPSS prints estimated marginal means).
Logistic: ``group ~ z(feature) + age + male``, the direction in which the paper's text puts it.
Energy enters both models as its logarithm; its means are reported back on its own scale.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import statsmodels.api as sm
from scipy import optimize, stats

from texture.cohort_data import Cohort
from texture.errors import CohortFitError, CohortInputError

LOG_SCALE = ("energy",)
"""Features whose printed confidence intervals are symmetric on the logarithmic scale."""

Covariance = Literal["pooled", "hc3", "cluster"]


@dataclass(frozen=True)
class AdjustedMean:
    """Mean of a group at the same age and sex mix, with its 95 % confidence interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class OddsRatio:
    """Odds ratio of the second group per SD of a feature, with Wald and likelihood ratio p."""

    per_sd: float
    low: float
    high: float
    p_wald: float
    p_lr: float


@dataclass(frozen=True)
class FeatureResult:
    """Everything Table 2 says about one feature.

    Attributes
    ----------
    n
        Rows of the reference and of the second group that have the feature.
    adjusted
        Of the reference and of the second group.
    p_pooled, p_hc3, p_cluster
        p of the group's coefficient under three covariances; cluster is None without patients.
    shapiro_p
        Shapiro-Wilk test of the residuals.
    odds_ratio
        None if the logistic model was not asked for.
    """

    key: str
    n: tuple[int, int]
    log_scale: bool
    adjusted: tuple[AdjustedMean, AdjustedMean]
    p_pooled: float
    p_hc3: float
    p_cluster: float | None
    shapiro_p: float
    odds_ratio: OddsRatio | None


def fit_feature(
    cohort: Cohort, key: str, covariance: Covariance, models: tuple[str, ...]
) -> FeatureResult:
    """Fit the models of one feature on the rows that have it.

    Raises
    ------
    CohortInputError
        If the feature or a covariate is constant, or energy is not positive.
    CohortFitError
        If the groups are separated, so that the logistic model has no finite solution.
    """
    present = cohort.rows[key].notna().to_numpy()
    rows = cohort.rows[present]
    group = rows["second_group"].to_numpy()
    covariates = rows[["age", "male"]].to_numpy()
    values = rows[key].to_numpy()
    _check_design(key, values, group, covariates)
    clusters = None if cohort.clusters is None else cohort.clusters[present]
    outcome = np.log(values) if key in LOG_SCALE else values
    design = np.column_stack([np.ones(len(rows)), group, covariates])
    fits = _least_squares(outcome, design, clusters)
    if covariance not in fits:
        raise CohortInputError("cluster-robust covariance needs a column patient_id")
    adjusted = [_adjusted(fits[covariance], design, g, key in LOG_SCALE) for g in (0.0, 1.0)]
    odds = _odds_ratio(key, outcome, group, covariates) if "logistic" in models else None
    return FeatureResult(
        key=key,
        n=(int((group == 0).sum()), int((group == 1).sum())),
        log_scale=key in LOG_SCALE,
        adjusted=(adjusted[0], adjusted[1]),
        p_pooled=float(fits["pooled"].pvalues[1]),
        p_hc3=float(fits["hc3"].pvalues[1]),
        p_cluster=float(fits["cluster"].pvalues[1]) if "cluster" in fits else None,
        shapiro_p=float(stats.shapiro(fits["pooled"].resid).pvalue),
        odds_ratio=odds,
    )


def _check_design(
    key: str,
    values: npt.NDArray[np.float64],
    group: npt.NDArray[np.float64],
    covariates: npt.NDArray[np.float64],
) -> None:
    if len(values) < 8 or min((group == 0).sum(), (group == 1).sum()) < 3:
        raise CohortInputError(f"too few rows with a value of {key}")
    if key in LOG_SCALE and values.min() <= 0:
        raise CohortInputError(f"{key} must be positive: it is fitted as its logarithm")
    for name, column in ((key, values), ("age", covariates[:, 0]), ("sex", covariates[:, 1])):
        if np.ptp(column) == 0:
            raise CohortInputError(f"{name} is the same in every row, so it cannot be modelled")


def _least_squares(
    outcome: npt.NDArray[np.float64],
    design: npt.NDArray[np.float64],
    clusters: npt.NDArray[np.int64] | None,
) -> dict[str, Any]:
    model = sm.OLS(outcome, design)
    fits = {"pooled": model.fit(), "hc3": model.fit(cov_type="HC3", use_t=True)}
    if clusters is not None:
        fits["cluster"] = model.fit(cov_type="cluster", cov_kwds={"groups": clusters}, use_t=True)
    return fits


def _adjusted(
    fit: Any, design: npt.NDArray[np.float64], group: float, log_scale: bool
) -> AdjustedMean:
    at = np.array([1.0, group, design[:, 2].mean(), 0.5])
    middle = float(at @ fit.params)
    half = float(stats.t.ppf(0.975, fit.df_resid) * np.sqrt(at @ fit.cov_params() @ at))
    ends = np.array([middle, middle - half, middle + half])
    mean, low, high = np.exp(ends) if log_scale else ends
    return AdjustedMean(float(mean), float(low), float(high))


def _odds_ratio(
    key: str,
    values: npt.NDArray[np.float64],
    group: npt.NDArray[np.float64],
    covariates: npt.NDArray[np.float64],
) -> OddsRatio:
    standardised = (values - values.mean()) / values.std(ddof=1)
    ones = np.ones(len(values))
    null_design = np.column_stack([ones, covariates])
    design = np.column_stack([ones, standardised, covariates])
    if _separates(null_design, group):
        raise CohortFitError(
            "separation: age and sex alone tell the groups apart, so no odds ratio is finite"
        )
    if _separates(design, group):
        raise CohortFitError(
            f"separation: {key} (with age and sex) tells the groups apart, so its odds ratio is "
            "not finite; leave the logistic model or the feature out"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("error", category=sm.tools.sm_exceptions.ConvergenceWarning)
        try:
            full = sm.Logit(group, design).fit(disp=False, maxiter=100)
            null = sm.Logit(group, null_design).fit(disp=False, maxiter=100)
        except (sm.tools.sm_exceptions.ConvergenceWarning, np.linalg.LinAlgError) as error:
            raise CohortFitError(f"the logistic model of {key} did not converge") from error
    low, high = np.exp(full.conf_int()[1])
    return OddsRatio(
        per_sd=float(np.exp(full.params[1])),
        low=float(low),
        high=float(high),
        p_wald=float(full.pvalues[1]),
        p_lr=float(stats.chi2.sf(2.0 * (full.llf - null.llf), df=1)),
    )


def _separates(design: npt.NDArray[np.float64], group: npt.NDArray[np.float64]) -> bool:
    """Whether a plane through the covariates has the groups on its two sides (Konis 2007).

    Maximises the sum of signed distances over all planes that put no row on the wrong side; it
    is positive exactly if the likelihood has no finite maximum.
    """
    scaled = design / np.abs(design).max(axis=0)
    signed = np.where(group[:, None] > 0.5, scaled, -scaled)
    found = optimize.linprog(
        -signed.sum(axis=0),
        A_ub=-signed,
        b_ub=np.zeros(len(group)),
        bounds=[(-1.0, 1.0)] * design.shape[1],
        method="highs",
    )
    return bool(-found.fun > 1e-6)
