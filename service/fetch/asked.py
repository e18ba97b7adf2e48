"""What `spinenode fetch` is asked for: accession numbers, StudyInstanceUIDs, a list, dates."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from node import Permanent
from node.query import StudyKeys, StudyWindow
from service.errors import UsageError
from service.fetch.person import PERSON_COLUMNS, UNKNOWN, Person

ACCESSION_COLUMN = "accession_number"
STUDY_COLUMN = "study_instance_uid"


@dataclass(frozen=True)
class AskedStudy:
    """One study asked for by name.

    Attributes
    ----------
    label
        How messages call it: its place in the list, never its number.
    person
        What the researcher says of whom it shows.
    """

    keys: StudyKeys
    label: str
    person: Person = UNKNOWN


@dataclass(frozen=True)
class Asked:
    """Studies by name, and a range of days; `person` holds for what the days bring."""

    studies: tuple[AskedStudy, ...] = ()
    days: tuple[date, ...] = ()
    person: Person = UNKNOWN

    def windows(self) -> Iterator[StudyWindow]:
        """One window per day, so that a limit of the archive cuts no long list."""
        return (StudyWindow(day) for day in self.days)


def asked_for(
    accession_numbers: list[str],
    study_uids: list[str],
    listed: Path | None,
    days: tuple[date, ...],
    group: str,
) -> Asked:
    """Return what is asked for, checked.

    Raises
    ------
    UsageError
        Nothing is asked for, or a value cannot be asked for.
    """
    person = Person(group=group)
    studies = [
        _study(f"accession number {n} of {len(accession_numbers)}", value, "", person)
        for n, value in enumerate(accession_numbers, 1)
    ]
    studies += [
        _study(f"study {n} of {len(study_uids)}", "", value, person)
        for n, value in enumerate(study_uids, 1)
    ]
    if listed is not None:
        studies += _listed(listed, person)
    if not studies and not days:
        raise UsageError("nothing asked for: give --accession, --study, --list or --from")
    return Asked(tuple(studies), days, person)


def day_range(first: str | None, last: str | None, today: date) -> tuple[date, ...]:
    """Return every day from `first` to `last`, both included; `last` is today unless given.

    Raises
    ------
    UsageError
        A text that is no date, or a range that ends before it begins.
    """
    if first is None:
        if last is not None:
            raise UsageError("--to needs --from")
        return ()
    begin = _date("--from", first)
    end = today if last is None else _date("--to", last)
    if end < begin:
        raise UsageError(f"--to {end} is before --from {begin}")
    return tuple(begin + timedelta(days=n) for n in range((end - begin).days + 1))


def _date(option: str, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"{option} {text!r}: expected a date such as 2024-03-31") from error


def _study(label: str, accession_number: str, study_uid: str, person: Person) -> AskedStudy:
    try:
        keys = StudyKeys(
            AccessionNumber=accession_number.strip(), StudyInstanceUID=study_uid.strip()
        )
    except Permanent as error:
        raise UsageError(f"{label}: {error}") from error
    if not keys.AccessionNumber and not keys.StudyInstanceUID:
        raise UsageError(f"{label}: is empty")
    return AskedStudy(keys, label, person)


def _listed(path: Path, person: Person) -> list[AskedStudy]:
    """Read a list: a CSV with one of the two columns, or one accession number per line."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--list {path}: cannot be read: {error}") from error
    lines = text.splitlines()
    separator = ";" if lines and ";" in lines[0] else ","
    first = next(csv.reader(lines[:1], delimiter=separator), [])
    head = [name.strip().lower() for name in first]
    if ACCESSION_COLUMN not in head and STUDY_COLUMN not in head:
        if len(head) > 1:
            raise UsageError(
                f"--list {path}: expected a column {ACCESSION_COLUMN} or {STUDY_COLUMN}, or one "
                "accession number per line"
            )
        return [
            _study(f"{path.name} line {n}", line, "", person)
            for n, line in enumerate(lines, 1)
            if line.strip()
        ]
    rows = csv.DictReader(lines[1:], fieldnames=head, delimiter=separator)
    return [_row(f"{path.name} line {n}", row, person) for n, row in enumerate(rows, 2)]


def _row(label: str, row: dict[str, str], person: Person) -> AskedStudy:
    said = Person(**{name: (row.get(name) or "").strip() for name in PERSON_COLUMNS})
    return _study(
        label,
        row.get(ACCESSION_COLUMN) or "",
        row.get(STUDY_COLUMN) or "",
        said.completed_by(person),
    )
