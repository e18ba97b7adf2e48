"""Read the table of a cohort and refuse what cannot be analysed, naming column and row."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from texture.errors import CohortInputError
from texture.features import FEATURE_KEYS

FEATURES_CSV = "features_csv"
PERSON_COLUMNS = ("group", "age", "sex")
MINIMUM_PER_GROUP = 5

_MALE = {"M": 1.0, "MALE": 1.0, "F": 0.0, "FEMALE": 0.0, "W": 0.0}


@dataclass(frozen=True)
class Cohort:
    """Rows to analyse, one per fractured vertebra.

    Attributes
    ----------
    rows
        Columns ``second_group`` (1.0 for the second group), ``age``, ``male`` and the features.
    clusters
        Number of the patient of each row, or None if the table names no patients.
    groups
        Reference group, compared group.
    notes
        What was left out, as sentences.
    """

    rows: pd.DataFrame
    clusters: np.ndarray | None
    groups: tuple[str, str]
    features: tuple[str, ...]
    notes: tuple[str, ...] = ()


def read_cohort(path: Path, groups: tuple[str, str], features: tuple[str, ...]) -> Cohort:
    """Read ``patient_id, group, age, sex`` and the features of each fractured vertebra.

    The features stand in the table itself, or in files of ``spinenode analyze`` that a column
    ``features_csv`` names (relative to the table); a column ``level`` then picks the vertebra,
    and without it every fractured one is taken.

    Raises
    ------
    CohortInputError
        For a missing file or column, text where a number belongs, fewer than two groups, or too
        few rows.
    """
    unknown = [key for key in features if key not in FEATURE_KEYS]
    if unknown or not features:
        raise CohortInputError(f"unknown features {unknown}; known: {', '.join(FEATURE_KEYS)}")
    table = _read_csv(path)
    _require(table, PERSON_COLUMNS, path)
    if FEATURES_CSV in table.columns:
        table = _join_features(table, path)
    _require(table, features, path)
    notes: list[str] = []
    table = _fractured_only(table, notes)
    rows = pd.DataFrame(index=table.index)
    rows["second_group"] = _groups(table["group"], groups, path)
    rows["age"] = _numbers(table, "age", path)
    rows["male"] = _sexes(table["sex"], path)
    for key in features:
        rows[key] = _numbers(table, key, path)
    known = rows[["second_group", "age", "male"]].notna().all(axis=1)
    if (missing := int((~known).sum())) > 0:
        notes.append(f"{missing} rows without group, age or sex were left out.")
    rows = rows[known]
    _check_size(rows["second_group"], groups, path)
    clusters = None
    if "patient_id" in table.columns:
        clusters = pd.factorize(table.loc[known, "patient_id"].astype(str))[0]
    return Cohort(rows.reset_index(drop=True), clusters, groups, features, tuple(notes))


def _read_csv(path: Path) -> pd.DataFrame:
    try:
        table = pd.read_csv(path, dtype=str, skipinitialspace=True, encoding="utf-8-sig")
    except FileNotFoundError:
        raise CohortInputError(f"{path.name}: no such file") from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise CohortInputError(f"{path.name}: not a readable CSV table ({error})") from None
    table.columns = [str(name).strip().lower() for name in table.columns]
    return table


def _require(table: pd.DataFrame, columns: tuple[str, ...], path: Path) -> None:
    missing = [name for name in columns if name not in table.columns]
    if missing:
        raise CohortInputError(
            f"{path.name}: missing column {', '.join(missing)}; found {', '.join(table.columns)}"
        )


def _join_features(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    joined: list[dict[str, object]] = []
    for row in _records(table):
        source = path.parent / str(row.pop(FEATURES_CSV))
        vertebrae = _read_csv(source)
        _require(vertebrae, ("label", "fractured"), source)
        level = row.pop("level", None)
        if isinstance(level, str) and level.strip():
            vertebrae = vertebrae[vertebrae["label"].str.upper() == level.strip().upper()]
        else:
            vertebrae = vertebrae[vertebrae["fractured"].str.lower().isin(("true", "1", "yes"))]
        joined.extend({**values, **row} for values in _records(vertebrae))
    if not joined:
        raise CohortInputError(f"{path.name}: the features files hold no vertebra to analyse")
    return pd.DataFrame(joined).drop(columns=["fractured"])


def _records(table: pd.DataFrame) -> list[dict[str, object]]:
    return [{str(k): v for k, v in row.items()} for row in table.to_dict("records")]


def _fractured_only(table: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    if "fractured" not in table.columns:
        return table
    kept = table[table["fractured"].str.lower().isin(("true", "1", "yes"))]
    if len(kept) < len(table):
        notes.append(f"{len(table) - len(kept)} rows of unfractured vertebrae were left out.")
    return kept


def _groups(column: pd.Series, groups: tuple[str, str], path: Path) -> pd.Series:
    text = column.str.strip().str.lower()
    names = [name.lower() for name in groups]
    strange = sorted(set(text.dropna()) - set(names))
    if strange:
        raise CohortInputError(
            f"{path.name}: column group holds {', '.join(strange)}; expected {' or '.join(groups)}"
        )
    return text.map({names[0]: 0.0, names[1]: 1.0})


def _sexes(column: pd.Series, path: Path) -> pd.Series:
    text = column.str.strip().str.upper()
    strange = sorted(set(text.dropna()) - set(_MALE))
    if strange:
        raise CohortInputError(f"{path.name}: column sex holds {', '.join(strange)}; expected M, F")
    return text.map(_MALE)


def _numbers(table: pd.DataFrame, name: str, path: Path) -> pd.Series:
    numbers = pd.to_numeric(table[name], errors="coerce").astype(np.float64)
    wrong = table.index[(numbers.isna() & table[name].notna()) | np.isinf(numbers)]
    if len(wrong):
        raise CohortInputError(
            f"{path.name}: column {name}, line {int(wrong[0]) + 2}: not a finite number"
        )
    return numbers


def _check_size(second_group: pd.Series, groups: tuple[str, str], path: Path) -> None:
    for value, name in enumerate(groups):
        count = int((second_group == value).sum())
        if count == 0:
            raise CohortInputError(f"{path.name}: no row of group {name}; two groups are needed")
        if count < MINIMUM_PER_GROUP:
            raise CohortInputError(
                f"{path.name}: too few rows: {count} of group {name}, at least "
                f"{MINIMUM_PER_GROUP} are needed"
            )
