"""What became of each received series: waiting for its study, chosen, or left out and why.

Beside it the jobs of each series in their order, so that a later one can name what it supersedes.
"""

from __future__ import annotations

import enum
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from node.shared_database import Location, open_database
from service.series_facts import SeriesFacts

SCHEMA = """
CREATE TABLE IF NOT EXISTS received_series (
    series_instance_uid TEXT PRIMARY KEY,
    study_instance_uid TEXT NOT NULL,
    job_id TEXT NOT NULL,
    state TEXT NOT NULL,
    rule TEXT NOT NULL,
    reason TEXT NOT NULL,
    calling_ae_title TEXT NOT NULL,
    facts TEXT NOT NULL,
    updated_at REAL NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS received_series_study ON received_series (study_instance_uid);
CREATE INDEX IF NOT EXISTS received_series_state ON received_series (state, updated_at);
CREATE TABLE IF NOT EXISTS series_job (
    series_instance_uid TEXT NOT NULL,
    job_id TEXT NOT NULL,
    submitted_at REAL NOT NULL,
    PRIMARY KEY (series_instance_uid, job_id)
) STRICT, WITHOUT ROWID;
"""
COLUMNS = (
    "series_instance_uid, study_instance_uid, job_id, state, rule, reason, calling_ae_title,"
    " facts, updated_at"
)
_FACTS = TypeAdapter(SeriesFacts)


class SeriesState(enum.StrEnum):
    """Where a received series stands; ``not_analysable`` was chosen and turned out so."""

    WAITING = "waiting"
    CHOSEN = "chosen"
    NOT_ANALYSABLE = "not_analysable"
    LEFT_OUT = "left_out"


@dataclass(frozen=True)
class RegisteredSeries:
    """One received series.

    Attributes
    ----------
    job_id
        The job that these images have, or would have.
    rule
        Which rule left it out; empty where none did.
    reason
        Why it was left out, or chosen before others; no identifier of a patient.
    updated_at
        Seconds since the epoch.
    """

    SeriesInstanceUID: str
    StudyInstanceUID: str
    job_id: str
    state: SeriesState
    calling_ae_title: str
    facts: SeriesFacts
    rule: str = ""
    reason: str = ""
    updated_at: float = 0.0


class SeriesRegister:
    """The register, in a SQLite file or in the PostgreSQL of the queue."""

    def __init__(self, location: Location, clock: Callable[[], float] = time.time) -> None:
        self._database = open_database(location, SCHEMA)
        self._clock = clock

    def close(self) -> None:
        """Release the database."""
        self._database.close()

    def enter(self, series: RegisteredSeries) -> None:
        """Enter a series as it stands now, in place of what was said of it before."""
        self.enter_all([series])

    def enter_all(self, entries: Iterable[RegisteredSeries]) -> None:
        """Enter several series at once or not at all."""
        now = self._clock()
        rows = [
            (
                each.SeriesInstanceUID,
                each.StudyInstanceUID,
                each.job_id,
                each.state.value,
                each.rule,
                each.reason,
                each.calling_ae_title,
                _FACTS.dump_json(each.facts).decode(),
                now,
            )
            for each in entries
        ]
        with self._database.transaction() as db:
            db.executemany(
                f"INSERT INTO received_series ({COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?)"
                " ON CONFLICT (series_instance_uid) DO UPDATE SET job_id=excluded.job_id,"
                " study_instance_uid=excluded.study_instance_uid, state=excluded.state,"
                " rule=excluded.rule, reason=excluded.reason,"
                " calling_ae_title=excluded.calling_ae_title, facts=excluded.facts,"
                " updated_at=excluded.updated_at",
                rows,
            )

    def find(self, series_instance_uid: str) -> RegisteredSeries | None:
        """One series, or None."""
        found = self._select("series_instance_uid=?", (series_instance_uid,))
        return found[0] if found else None

    def of_study(self, study_instance_uid: str) -> tuple[RegisteredSeries, ...]:
        """Every series of a study."""
        return self._select("study_instance_uid=?", (study_instance_uid,))

    def waiting(self) -> tuple[RegisteredSeries, ...]:
        """Series that wait for the other series of their study."""
        return self._select("state=? ORDER BY updated_at", (SeriesState.WAITING.value,))

    def left_out(self, limit: int = 500) -> tuple[RegisteredSeries, ...]:
        """Series that nobody analyses, the latest first."""
        return self._select(
            "state=? ORDER BY updated_at DESC LIMIT ?", (SeriesState.LEFT_OUT.value, limit)
        )

    def note_job(self, series_instance_uid: str, job_id: str) -> None:
        """Remember that a job was made of a series; the first time counts."""
        with self._database.transaction() as db:
            db.execute(
                "INSERT INTO series_job VALUES (?,?,?) ON CONFLICT DO NOTHING",
                (series_instance_uid, job_id, self._clock()),
            )

    def jobs_of(self, series_instance_uid: str) -> tuple[str, ...]:
        """Jobs of a series, the oldest first."""
        rows = self._database.rows(
            "SELECT job_id FROM series_job WHERE series_instance_uid=? ORDER BY submitted_at",
            (series_instance_uid,),
        )
        return tuple(row[0] for row in rows)

    def forget(self, job_ids: Iterable[str]) -> None:
        """Forget jobs whose results are deleted."""
        with self._database.transaction() as db:
            rows = [(job_id,) for job_id in job_ids]
            db.executemany("DELETE FROM series_job WHERE job_id=?", rows)
            db.executemany(
                "DELETE FROM received_series WHERE job_id=?"
                " AND state IN ('chosen','not_analysable')",
                rows,
            )

    def forget_left_out(self, older_than_seconds: float) -> tuple[RegisteredSeries, ...]:
        """Forget, and return, series that were left out that long ago."""
        limit = self._clock() - older_than_seconds
        old = self._select("state='left_out' AND updated_at<?", (limit,))
        with self._database.transaction() as db:
            db.executemany(
                "DELETE FROM received_series WHERE series_instance_uid=? AND updated_at<?",
                [(each.SeriesInstanceUID, limit) for each in old],
            )
        return old

    def _select(self, condition: str, values: tuple[object, ...]) -> tuple[RegisteredSeries, ...]:
        rows = self._database.rows(
            f"SELECT {COLUMNS} FROM received_series WHERE {condition}", values
        )
        return tuple(_series(row) for row in rows)


def register_location(database_url: str) -> Location:
    """Where the register of a queue lies: in its PostgreSQL, or in a file beside its file."""
    if not database_url.startswith("sqlite"):
        return database_url
    return Path(database_url.removeprefix("sqlite:///")).with_name("register.sqlite")


def _series(row: tuple[Any, ...]) -> RegisteredSeries:
    uid, study, job_id, state, rule, reason, calling, facts, updated_at = row
    return RegisteredSeries(
        SeriesInstanceUID=uid,
        StudyInstanceUID=study,
        job_id=job_id,
        state=SeriesState(state),
        calling_ae_title=calling,
        facts=_FACTS.validate_json(facts),
        rule=rule,
        reason=reason,
        updated_at=float(updated_at),
    )
