"""What was fetched and what became of it, on disk: a fetch that was interrupted goes on from here.

Beside the series the ledger keeps what is known of the people in the studies, for the table of a
cohort, and the key of their pseudonyms.
"""

from __future__ import annotations

import enum
import logging
import secrets
import sqlite3
import time
from collections.abc import Iterable
from contextlib import closing
from dataclasses import astuple, dataclass
from pathlib import Path
from urllib.parse import quote

from node.database import Database
from node.durable import make_directory
from service.fetch.person import Person

log = logging.getLogger(__name__)

SCHEMA = """
CREATE TABLE IF NOT EXISTS fetched_series (
    series_instance_uid TEXT PRIMARY KEY,
    study_instance_uid TEXT NOT NULL,
    state TEXT NOT NULL,
    images INTEGER NOT NULL,
    announced INTEGER,
    reason TEXT NOT NULL,
    results TEXT NOT NULL,
    updated_at REAL NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS fetched_series_study ON fetched_series (study_instance_uid);
CREATE TABLE IF NOT EXISTS fetched_study (
    study_instance_uid TEXT PRIMARY KEY,
    accession_number TEXT NOT NULL,
    person_group TEXT NOT NULL,
    age TEXT NOT NULL,
    sex TEXT NOT NULL,
    patient_id TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS pseudonym_key (
    only INTEGER PRIMARY KEY CHECK (only = 1), value BLOB NOT NULL
) STRICT;
"""
KEY_BYTES = 32
LATELY_SECONDS = 3600.0


class FetchState(enum.StrEnum):
    """Where a series stands."""

    ASKED = "asked"
    FAILED = "failed"
    FETCHED = "fetched"
    ANALYSED = "analysed"
    NOT_ANALYSABLE = "not_analysable"
    LEFT_OUT = "left_out"
    ERROR = "error"


@dataclass(frozen=True)
class LedgerEntry:
    """One series.

    Attributes
    ----------
    images
        How many arrived.
    announced
        How many the archive said it has, other objects of the series included.
    reason
        Why it stands where it stands; no identifier of a patient.
    results
        Name of the folder with the results; empty if there are none.
    """

    SeriesInstanceUID: str
    StudyInstanceUID: str
    state: FetchState
    images: int = 0
    announced: int | None = None
    reason: str = ""
    results: str = ""


@dataclass(frozen=True)
class LedgerStudy:
    """One study; `accession_number` only where it was asked for by that."""

    StudyInstanceUID: str
    accession_number: str
    person: Person


class FetchLedger:
    """The ledger file; what was entered survives a power cut."""

    def __init__(self, path: Path) -> None:
        make_directory(path.parent)
        self._database = Database(path, SCHEMA)

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def enter(self, entry: LedgerEntry) -> None:
        """Enter a series as it stands now."""
        with self._database.transaction() as db:
            db.execute(
                "INSERT INTO fetched_series VALUES (?,?,?,?,?,?,?,?)"
                " ON CONFLICT (series_instance_uid) DO UPDATE SET state=excluded.state,"
                " study_instance_uid=excluded.study_instance_uid, images=excluded.images,"
                " announced=excluded.announced, reason=excluded.reason, results=excluded.results,"
                " updated_at=excluded.updated_at",
                (*astuple(entry), time.time()),
            )

    def find(self, series_instance_uid: str) -> LedgerEntry | None:
        """One series, or None."""
        found = self._entries("WHERE series_instance_uid=?", (series_instance_uid,))
        return found[0] if found else None

    def series_of(self, study_instance_uid: str) -> tuple[LedgerEntry, ...]:
        """Every series of a study."""
        condition = "WHERE study_instance_uid=? ORDER BY series_instance_uid"
        return self._entries(condition, (study_instance_uid,))

    def enter_study(self, study: LedgerStudy) -> None:
        """Enter a study; what was known before and is not said now stays."""
        known = self._person_of(study.StudyInstanceUID)
        person = study.person.completed_by(known)
        with self._database.transaction() as db:
            db.execute(
                "INSERT INTO fetched_study VALUES (?,?,?,?,?,?)"
                " ON CONFLICT (study_instance_uid) DO UPDATE SET"
                " accession_number=CASE excluded.accession_number WHEN ''"
                " THEN accession_number ELSE excluded.accession_number END,"
                " person_group=excluded.person_group, age=excluded.age, sex=excluded.sex,"
                " patient_id=excluded.patient_id",
                (study.StudyInstanceUID, study.accession_number, *astuple(person)),
            )

    def studies(self) -> tuple[LedgerStudy, ...]:
        """Every study, in the order of their UIDs."""
        rows = self._database.rows(
            "SELECT study_instance_uid, accession_number, person_group, age, sex, patient_id"
            " FROM fetched_study ORDER BY study_instance_uid"
        )
        return tuple(LedgerStudy(uid, number, Person(*rest)) for uid, number, *rest in rows)

    def pseudonym_key(self) -> bytes:
        """The key of this ledger's pseudonyms, made at the first call."""
        with self._database.transaction() as db:
            db.execute(
                "INSERT INTO pseudonym_key VALUES (1, ?) ON CONFLICT DO NOTHING",
                (secrets.token_bytes(KEY_BYTES),),
            )
            return bytes(db.execute("SELECT value FROM pseudonym_key").fetchone()[0])

    def _person_of(self, study_instance_uid: str) -> Person:
        rows = self._database.rows(
            "SELECT person_group, age, sex, patient_id FROM fetched_study"
            " WHERE study_instance_uid=?",
            (study_instance_uid,),
        )
        return Person(*rows[0]) if rows else Person()

    def _entries(self, condition: str, values: Iterable[str]) -> tuple[LedgerEntry, ...]:
        rows = self._database.rows(
            "SELECT series_instance_uid, study_instance_uid, state, images, announced,"
            " reason, results"
            f" FROM fetched_series {condition}",
            tuple(values),
        )
        return tuple(
            LedgerEntry(uid, study, FetchState(state), *rest) for uid, study, state, *rest in rows
        )


def was_asked_for(ledger: Path, series_instance_uid: str) -> bool:
    """Whether a fetch asked for a series lately; read while the fetch writes.

    Only lately: a scanner may send the same series again next year.
    """
    if not ledger.is_file():
        return False
    query = "SELECT 1 FROM fetched_series WHERE series_instance_uid=? AND updated_at>?"
    values = series_instance_uid, time.time() - LATELY_SECONDS
    try:
        with closing(sqlite3.connect(f"file:{quote(str(ledger))}?mode=ro", uri=True)) as db:
            return db.execute(query, values).fetchone() is not None
    except sqlite3.Error as error:
        log.warning("the ledger of fetches cannot be read", extra={"problem": str(error)})
        return False
