"""What each archive does not take: remembered, so that it is not asked again every time.

Forgotten after a while, and when somebody retries a delivery: archives are reconfigured.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from node.shared_database import Location, open_database

SCHEMA = """
CREATE TABLE IF NOT EXISTS refusal (
    destination TEXT NOT NULL,
    sop_class_uid TEXT NOT NULL,
    transfer_syntax_uid TEXT NOT NULL,
    comment TEXT NOT NULL,
    refused_at REAL NOT NULL,
    PRIMARY KEY (destination, sop_class_uid, transfer_syntax_uid)
) STRICT, WITHOUT ROWID;
"""


@dataclass(frozen=True)
class Encoding:
    """What is negotiated with an archive for one object."""

    SOPClassUID: str
    transfer_syntax_uid: str


class Refusals:
    """The memory, in a SQLite file or in the PostgreSQL of the queue."""

    def __init__(self, location: Location, clock: Callable[[], float] = time.time) -> None:
        self._database = open_database(location, SCHEMA)
        self._clock = clock

    def close(self) -> None:
        """Release the database."""
        self._database.close()

    def remember(self, destination: str, encoding: Encoding, comment: str) -> None:
        """An archive refused everything of this class in this encoding."""
        with self._database.transaction() as db:
            db.execute(
                "INSERT INTO refusal VALUES (?,?,?,?,?) ON CONFLICT (destination, sop_class_uid,"
                " transfer_syntax_uid) DO UPDATE SET comment=excluded.comment,"
                " refused_at=excluded.refused_at",
                (
                    destination,
                    encoding.SOPClassUID,
                    encoding.transfer_syntax_uid,
                    comment,
                    self._clock(),
                ),
            )

    def known(self, destination: str, within_seconds: float) -> dict[Encoding, str]:
        """What an archive refused lately, and its words."""
        rows = self._database.rows(
            "SELECT sop_class_uid, transfer_syntax_uid, comment FROM refusal"
            " WHERE destination=? AND refused_at>?",
            (destination, self._clock() - within_seconds),
        )
        return {Encoding(row[0], row[1]): row[2] for row in rows}

    def forget(self, destination: str) -> None:
        """Ask this archive again."""
        with self._database.transaction() as db:
            db.execute("DELETE FROM refusal WHERE destination=?", (destination,))
