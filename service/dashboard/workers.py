"""Who takes jobs, what each does, and when it last gave a sign of life.

On PostgreSQL every worker renews a lease (`service.lease`); a SQLite queue has one worker, the
process that shows the pages.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from node.shared_database import PostgresqlDatabase
from service.dashboard.board import Snapshot
from service.dashboard.job_row import JobRow
from service.lease import BEATS_PER_LEASE, NOW, SCHEMA
from service.tenancy import LEASE_SECONDS

BUSY, IDLE, SILENT, GONE = "busy", "idle", "silent", "gone"
_LATE_SECONDS = 2 * LEASE_SECONDS / BEATS_PER_LEASE
"""One beat may be late; after two, somebody should know."""


@dataclass(frozen=True)
class SignOfLife:
    """A worker that holds a lease; `silent_seconds` since it renewed it."""

    name: str
    host: str
    silent_seconds: float

    @property
    def silent(self) -> bool:
        """Whether a sign of life is overdue."""
        return self.silent_seconds > _LATE_SECONDS


@dataclass(frozen=True)
class WorkerLine:
    """What a worker does; `state` is ``busy``, ``idle``, ``silent`` or ``gone``.

    Attributes
    ----------
    jobs
        Ids of the jobs that the queue counts as its own.
    ended
        Jobs it ended that the queue still remembers.
    """

    name: str
    host: str
    state: str
    silent_seconds: float | None
    jobs: tuple[str, ...]
    ended: int
    last_ms: int


class Leases:
    """Reads the leases of all workers.

    Parameters
    ----------
    database_url
        Of a PostgreSQL.
    """

    def __init__(self, database_url: str) -> None:
        self._database = PostgresqlDatabase(database_url, SCHEMA)

    def __call__(self) -> tuple[SignOfLife, ...]:
        """All leases that were not given back.

        Raises
        ------
        node.errors.Retryable
            If the database cannot be reached.
        """
        rows = self._database.rows(
            f"SELECT name, host, {NOW} - renewed_at FROM worker ORDER BY name"
        )
        return tuple(SignOfLife(name, host, max(0.0, float(age))) for name, host, age in rows)

    def close(self) -> None:
        """Release the database."""
        self._database.close()


class OnlyWorker:
    """The one worker of a queue that belongs to this process."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __call__(self) -> tuple[SignOfLife, ...]:
        """Who answers this question is alive."""
        return (SignOfLife(self._name, self._name, 0.0),)

    def close(self) -> None:
        """Nothing to release."""


def signs_of_life(database_url: str, own_name: str) -> Leases | OnlyWorker:
    """The workers of a queue."""
    if database_url.startswith("postgresql"):
        return Leases(database_url)
    return OnlyWorker(own_name)


def worker_lines(snapshot: Snapshot, signs: Sequence[SignOfLife]) -> list[WorkerLine]:
    """Every worker that is there, then those that took jobs once and are gone."""
    by_name: dict[str, list[JobRow]] = {sign.name: [] for sign in signs}
    for row in snapshot.rows:
        if row.worker:
            by_name.setdefault(row.worker, []).append(row)
    known = {sign.name: sign for sign in signs}
    lines = [_line(name, known.get(name), rows) for name, rows in by_name.items()]
    return sorted(lines, key=lambda line: (line.state == GONE, line.name))


def overdue(signs: Sequence[SignOfLife]) -> Callable[[str], bool]:
    """Tell of a worker by name whether somebody should worry about its jobs."""
    well = {sign.name for sign in signs if not sign.silent}
    return lambda name: name not in well


def _line(name: str, sign: SignOfLife | None, rows: Sequence[JobRow]) -> WorkerLine:
    jobs = tuple(row.id for row in rows if row.state == "running")
    state = GONE
    if sign is not None:
        state = SILENT if sign.silent else BUSY if jobs else IDLE
    return WorkerLine(
        name=name,
        host=sign.host if sign else "",
        state=state,
        silent_seconds=sign.silent_seconds if sign else None,
        jobs=jobs,
        ended=sum(1 for row in rows if row.ended_ms is not None),
        last_ms=max((row.ended_ms or row.started_ms or 0 for row in rows), default=0),
    )
