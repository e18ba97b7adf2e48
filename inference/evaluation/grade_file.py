"""Genant grades that readers gave: JSON, or CSV with a row per vertebra or per case."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from inference.anatomy import VertebraLevel
from inference.errors import UnreadableInput
from inference.evaluation.json_file import read_json

Grades = dict[VertebraLevel, int]

_CASE_COLUMNS = ("case", "subject", "verse_id", "id")
_WIDE_COLUMN = re.compile(r"(?P<level>[CTL]\d{1,2})(_.*grad.*)?", re.IGNORECASE)
_BLANK = ("", "na", "n/a", "nan", "-")


def read_grades(path: Path, case: str) -> Grades | None:
    """Grades of one case; None if the file holds none for it.

    Vertebrae that the file does not name, or leaves blank, are absent: nobody judged them.

    Raises
    ------
    UnreadableInput
        If the file has another form or a grade is not 0, 1, 2 or 3.
    """
    try:
        if path.suffix.lower() == ".json":
            pairs = _json_pairs(read_json(path), case)
        else:
            pairs = _csv_pairs(path, case)
        if pairs is None:
            return None
        return {_level(name): _grade(value) for name, value in pairs if not _is_blank(value)}
    except (OSError, KeyError, TypeError, ValueError, csv.Error) as error:
        raise UnreadableInput(f"{path.name}: no table of Genant grades ({error})") from error


def same_case(written: str, case: str) -> bool:
    """Whether a name in a table means this case: ``verse004`` is ``sub-verse004_dir-ax`` too."""
    wanted = case.rsplit("/", 1)[-1].removeprefix("sub-").lower()
    given = written.strip().removeprefix("sub-").lower()
    return bool(given) and (wanted == given or wanted.startswith(given + "_"))


def _json_pairs(content: Any, case: str) -> Iterable[tuple[str, Any]] | None:
    if not isinstance(content, Mapping):
        raise TypeError("the content is no object")
    if content and all(isinstance(value, Mapping) for value in content.values()):
        mine = [value for name, value in content.items() if same_case(str(name), case)]
        return mine[0].items() if mine else None
    return content.items()


def _csv_pairs(path: Path, case: str) -> Iterable[tuple[str, Any]] | None:
    with path.open(newline="", encoding="utf-8-sig") as stream:
        reader = csv.DictReader(stream)
        columns = {name.strip().lower(): name for name in reader.fieldnames or ()}
        rows = list(reader)
    key = next((columns[name] for name in _CASE_COLUMNS if name in columns), None)
    if key is not None:
        rows = [row for row in rows if same_case(row[key] or "", case)]
        if not rows:
            return None
    if {"label", "grade"} <= columns.keys():
        return [(row[columns["label"]], row[columns["grade"]]) for row in rows]
    wide = {
        name: match["level"]
        for name in columns.values()
        if (match := _WIDE_COLUMN.fullmatch(name.strip()))
    }
    if not wide:
        raise ValueError("neither columns label and grade nor a column per vertebra")
    return [(level, row[name]) for row in rows for name, level in wide.items()]


def _level(name: object) -> VertebraLevel:
    text = str(name).strip()
    try:
        return VertebraLevel(int(text)) if text.isdigit() else VertebraLevel.from_name(text)
    except (KeyError, ValueError) as error:
        raise ValueError(f"{text} is no vertebra") from error


def _is_blank(value: object) -> bool:
    return value is None or str(value).strip().lower() in _BLANK


def _grade(value: object) -> int:
    grade = float(str(value))
    if grade not in (0.0, 1.0, 2.0, 3.0):
        raise ValueError(f"grade {value} is not 0, 1, 2 or 3")
    return int(grade)
