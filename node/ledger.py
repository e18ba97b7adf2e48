"""The delivery ledger: what each destination has, still gets, or would not take.

One row per instance and destination, durable, so that a restart neither forgets nor repeats.
"""

from __future__ import annotations

import enum
import random
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from node.backoff import BackoffPolicy, delay_seconds
from node.scu import DeliveryResult, Outcome
from node.shared_database import Location, open_database

SCHEMA = """
CREATE TABLE IF NOT EXISTS delivery (
    destination TEXT NOT NULL,
    sop_instance_uid TEXT NOT NULL,
    sop_class_uid TEXT NOT NULL,
    path TEXT NOT NULL,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    last_status INTEGER,
    comment TEXT NOT NULL DEFAULT '',
    next_attempt_at REAL NOT NULL,
    updated_at REAL NOT NULL,
    PRIMARY KEY (destination, sop_instance_uid)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS delivery_due ON delivery (destination, state, next_attempt_at);
"""
COLUMNS = (
    "destination, sop_instance_uid, sop_class_uid, path, state, attempts, last_status, comment,"
    " next_attempt_at"
)


class DeliveryState(enum.StrEnum):
    """Where an instance stands at a destination. ``failed`` is the dead letter box."""

    QUEUED = "queued"
    SENT = "sent"
    COMMITTED = "committed"
    FAILED = "failed"


@dataclass(frozen=True)
class Delivery:
    """One row of the ledger; `next_attempt_at` in seconds since the epoch."""

    destination: str
    SOPInstanceUID: str
    SOPClassUID: str
    path: Path
    state: DeliveryState
    attempts: int
    last_status: int | None
    comment: str
    next_attempt_at: float


@dataclass(frozen=True)
class DeliveryRequest:
    """An instance that is to reach a destination."""

    destination: str
    SOPInstanceUID: str
    SOPClassUID: str
    path: Path


class DeliveryLedger:
    """The ledger. Safe to use from several threads and processes, on PostgreSQL from several hosts.

    Parameters
    ----------
    location
        Path of a SQLite file, or the URL of the PostgreSQL that the hosts share.
    """

    def __init__(
        self,
        location: Location,
        policy: BackoffPolicy | None = None,
        clock: Callable[[], float] = time.time,
        unit_random: Callable[[], float] = random.random,
    ) -> None:
        self._policy = policy or BackoffPolicy()
        self._clock = clock
        self._unit_random = unit_random
        self._database = open_database(location, SCHEMA)

    def close(self) -> None:
        """Release the database."""
        self._database.close()

    def queue(self, requests: Iterable[DeliveryRequest]) -> int:
        """Queue instances; those the ledger knows already stay as they are. Return how many new."""
        now = self._clock()
        rows = [
            (each.destination, each.SOPInstanceUID, each.SOPClassUID, str(each.path), now, now)
            for each in requests
        ]
        with self._database.transaction() as db:
            return db.executemany(
                "INSERT INTO delivery (destination, sop_instance_uid, sop_class_uid, path, state,"
                " next_attempt_at, updated_at) VALUES (?,?,?,?,'queued',?,?)"
                " ON CONFLICT DO NOTHING",
                rows,
            ).rowcount

    def due(self, destination: str) -> tuple[Delivery, ...]:
        """Return what is to be sent to a destination now, the longest waiting first."""
        return self._select(
            "destination=? AND state='queued' AND next_attempt_at<=? ORDER BY next_attempt_at",
            (destination, self._clock()),
        )

    def record(self, destination: str, result: DeliveryResult) -> None:
        """Enter the result of one attempt; an instance that was sent stays sent."""
        delivered = result.outcome in (Outcome.SENT, Outcome.WARNING)
        with self._database.transaction() as db:
            row = db.execute(
                "SELECT attempts FROM delivery WHERE destination=? AND sop_instance_uid=?",
                (destination, result.SOPInstanceUID),
            ).fetchone()
            if row is None:
                return
            state, next_attempt_at = self._next(int(row[0]) + 1, result.outcome)
            db.execute(
                "UPDATE delivery SET state=?, attempts=attempts+1, last_status=?, comment=?,"
                " next_attempt_at=?, updated_at=? WHERE destination=?"
                " AND sop_instance_uid=? AND state IN ('queued','failed')",
                (
                    DeliveryState.SENT if delivered else state,
                    result.status,
                    result.comment,
                    next_attempt_at,
                    self._clock(),
                    destination,
                    result.SOPInstanceUID,
                ),
            )

    def _next(self, attempts: int, outcome: Outcome) -> tuple[DeliveryState, float]:
        if outcome is Outcome.REFUSED or attempts >= self._policy.most_attempts:
            return DeliveryState.FAILED, 0.0
        delay = delay_seconds(self._policy, attempts, self._unit_random())
        return DeliveryState.QUEUED, self._clock() + delay

    def record_unreachable(self, destination: str, comment: str) -> None:
        """Enter a failed attempt for everything due: the destination could not be reached."""
        for each in self.due(destination):
            result = DeliveryResult(
                each.path, each.SOPInstanceUID, each.SOPClassUID, None, Outcome.FAILED, comment
            )
            self.record(destination, result)

    def mark_committed(self, destination: str, sop_instance_uids: Iterable[str]) -> None:
        """Enter that the destination took responsibility (storage commitment, PS3.4 Annex J)."""
        now = self._clock()
        with self._database.transaction() as db:
            db.executemany(
                "UPDATE delivery SET state='committed', updated_at=?"
                " WHERE destination=? AND sop_instance_uid=? AND state='sent'",
                [(now, destination, uid) for uid in sop_instance_uids],
            )

    def dead_letters(self, destination: str) -> tuple[Delivery, ...]:
        """Return what was given up for a destination."""
        return self._select("destination=? AND state='failed'", (destination,))

    def retry(self, destination: str, sop_instance_uids: Iterable[str] | None = None) -> int:
        """Queue dead letters again, with fresh attempts; all of the destination if not named."""
        now = self._clock()
        uids = sop_instance_uids
        if uids is None:
            uids = [each.SOPInstanceUID for each in self.dead_letters(destination)]
        with self._database.transaction() as db:
            return db.executemany(
                "UPDATE delivery SET state='queued', attempts=0, next_attempt_at=?, updated_at=?"
                " WHERE destination=? AND sop_instance_uid=? AND state='failed'",
                [(now, now, destination, uid) for uid in uids],
            ).rowcount

    def find(self, destination: str, sop_instance_uid: str) -> Delivery | None:
        """Return how an instance stands at a destination, or None if it was never queued."""
        rows = self._select("destination=? AND sop_instance_uid=?", (destination, sop_instance_uid))
        return rows[0] if rows else None

    def holders(self, sop_instance_uid: str) -> tuple[str, ...]:
        """Return the destinations that have an instance."""
        rows = self._database.rows(
            "SELECT destination FROM delivery WHERE sop_instance_uid=?"
            " AND state IN ('sent','committed') ORDER BY destination",
            (sop_instance_uid,),
        )
        return tuple(row[0] for row in rows)

    def counts(self) -> dict[tuple[str, DeliveryState], int]:
        """Return how many instances stand in each state, per destination."""
        query = "SELECT destination, state, count(*) FROM delivery GROUP BY destination, state"
        rows = self._database.rows(query)
        return {(name, DeliveryState(state)): int(count) for name, state, count in rows}

    def _select(self, condition: str, values: tuple[object, ...]) -> tuple[Delivery, ...]:
        query = f"SELECT {COLUMNS} FROM delivery WHERE {condition}"
        rows = self._database.rows(query, values)
        return tuple(
            Delivery(row[0], row[1], row[2], Path(row[3]), DeliveryState(row[4]), *row[5:])
            for row in rows
        )
