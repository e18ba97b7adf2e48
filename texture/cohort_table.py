"""Table 2 as Markdown, CSV and JSON."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from texture.cohort_models import AdjustedMean, Covariance, FeatureResult
from texture.features import REGISTRY

COLUMNS = (
    "feature",
    "role",
    "n_reference",
    "n_compared",
    "reference_mean",
    "reference_low",
    "reference_high",
    "compared_mean",
    "compared_low",
    "compared_high",
    "p_ols",
    "p_hc3",
    "p_cluster",
    "p_adjusted",
    "shapiro_p",
    "or_per_sd",
    "or_low",
    "or_high",
    "or_p_wald",
    "or_p_lr",
)


@dataclass(frozen=True)
class CohortResult:
    """The statistics of a cohort.

    Attributes
    ----------
    groups
        Reference group, compared group.
    features
        One result per feature, in the order asked for.
    roles
        Feature key to ``primary`` or ``exploratory``.
    p_adjusted
        Feature key to p adjusted within its role: Holm for primary features, Benjamini-Hochberg
        for exploratory ones.
    covariance
        Which covariance gave the intervals and the p that `p_value` picks.
    notes
        Sentences that belong under the table.
    files
        What was written.
    """

    groups: tuple[str, str]
    features: tuple[FeatureResult, ...]
    roles: dict[str, str]
    p_adjusted: dict[str, float]
    covariance: Covariance
    notes: tuple[str, ...]
    files: tuple[Path, ...] = ()


def p_value(result: FeatureResult, covariance: Covariance) -> float:
    """p of the group under one covariance."""
    values = {
        "pooled": result.p_pooled,
        "hc3": result.p_hc3,
        "cluster": result.p_cluster,
    }
    value = values[covariance]
    if value is None:
        raise KeyError(covariance)
    return value


def write_csv(path: Path, table: CohortResult) -> None:
    """One row per feature; an empty cell is not available."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for result in table.features:
            odds = result.odds_ratio
            row = [result.key, table.roles[result.key], *result.n]
            for mean in result.adjusted:
                row += [mean.mean, mean.low, mean.high]
            row += [result.p_pooled, result.p_hc3, result.p_cluster]
            row += [table.p_adjusted[result.key], result.shapiro_p]
            if odds is None:
                row += [None] * 5
            else:
                row += [odds.per_sd, odds.low, odds.high, odds.p_wald, odds.p_lr]
            writer.writerow("" if value is None else value for value in row)


def write_json(path: Path, table: CohortResult) -> None:
    """The same for programs: ``features`` maps each key to its statistics."""
    content = {
        "schema": "spinenode.cohort/1",
        "groups": list(table.groups),
        "covariance": table.covariance,
        "features": {result.key: as_mapping(result, table) for result in table.features},
        "notes": list(table.notes),
    }
    path.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def as_mapping(result: FeatureResult, table: CohortResult) -> dict[str, Any]:
    """One feature's statistics as plain JSON values."""
    odds = result.odds_ratio
    logit = None
    if odds is not None:
        logit = {
            "or_per_sd": odds.per_sd,
            "ci": [odds.low, odds.high],
            "p_wald": odds.p_wald,
            "p_lr": odds.p_lr,
        }
    return {
        "role": table.roles[result.key],
        "n": dict(zip(table.groups, result.n, strict=True)),
        "log_scale": result.log_scale,
        "adjusted": {
            name: [mean.mean, mean.low, mean.high]
            for name, mean in zip(table.groups, result.adjusted, strict=True)
        },
        "p_ols": result.p_pooled,
        "p_hc3": result.p_hc3,
        "p_cluster": result.p_cluster,
        "p_adjusted": table.p_adjusted[result.key],
        "shapiro_p": result.shapiro_p,
        "logit": logit,
    }


def write_markdown(path: Path, table: CohortResult) -> None:
    """The table for people, primary features first."""
    first, second = table.groups
    lines = [
        "# Adjusted means per group",
        "",
        f"| Feature | {first}: mean (95 % CI) | {second}: mean (95 % CI) | p | p adjusted "
        "| OR per SD (95 % CI) | p (LR) | Shapiro–Wilk p |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for role in ("primary", "exploratory"):
        chosen = [result for result in table.features if table.roles[result.key] == role]
        if chosen:
            lines.append(f"| **{role}** | | | | | | | |")
            lines.extend(_markdown_row(result, table) for result in chosen)
    lines += ["", *(f"- {note}" for note in table.notes)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def p_text(p: float) -> str:
    """A p value as journals print it."""
    return "< .001" if p < 0.001 else f"{p:.3f}"


def _markdown_row(result: FeatureResult, table: CohortResult) -> str:
    odds = result.odds_ratio
    cells = [
        REGISTRY[result.key].name + (" (log scale)" if result.log_scale else ""),
        _interval(result.adjusted[0]),
        _interval(result.adjusted[1]),
        p_text(p_value(result, table.covariance)),
        p_text(table.p_adjusted[result.key]),
        "–" if odds is None else f"{odds.per_sd:.2f} ({odds.low:.2f}–{odds.high:.2f})",
        "–" if odds is None else p_text(odds.p_lr),
        p_text(result.shapiro_p),
    ]
    return "| " + " | ".join(cells) + " |"


def _interval(mean: AdjustedMean) -> str:
    return f"{mean.mean:#.4g} ({mean.low:#.4g}–{mean.high:#.4g})"
