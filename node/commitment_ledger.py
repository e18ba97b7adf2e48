"""Open storage commitment transactions, beside the deliveries they are about."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from node.commitment import CommitmentReport, CommitmentRequest
from node.shared_database import Location, open_database

LOG = logging.getLogger(__name__)
SCHEMA = """
CREATE TABLE IF NOT EXISTS commitment (
    transaction_uid TEXT PRIMARY KEY,
    destination TEXT NOT NULL,
    requested_at REAL NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS commitment_item (
    transaction_uid TEXT NOT NULL REFERENCES commitment ON DELETE CASCADE,
    sop_instance_uid TEXT NOT NULL,
    PRIMARY KEY (transaction_uid, sop_instance_uid)
) STRICT, WITHOUT ROWID;
"""


class CommitmentLedger:
    """Transactions in the database of a `DeliveryLedger`, which has to exist already.

    Parameters
    ----------
    patience_seconds
        How long a report may take before commitment is asked for again.
    """

    def __init__(
        self,
        location: Location,
        patience_seconds: float = 6 * 3600.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._database = open_database(location, SCHEMA)
        self._patience_seconds = patience_seconds
        self._clock = clock

    def close(self) -> None:
        """Release the database."""
        self._database.close()

    def awaiting(self, destination: str) -> tuple[tuple[str, str], ...]:
        """Return (SOPClassUID, SOPInstanceUID) sent and neither committed nor asked for lately."""
        rows = self._database.rows(
            "SELECT sop_class_uid, sop_instance_uid FROM delivery WHERE destination=?"
            " AND state='sent' AND sop_instance_uid NOT IN (SELECT sop_instance_uid"
            " FROM commitment_item JOIN commitment USING (transaction_uid)"
            " WHERE destination=? AND requested_at>?) ORDER BY updated_at",
            (destination, destination, self._clock() - self._patience_seconds),
        )
        return tuple((row[0], row[1]) for row in rows)

    def begin(self, destination: str, request: CommitmentRequest) -> None:
        """Enter a transaction before it is asked for: the report may come at once."""
        with self._database.transaction() as db:
            db.execute(
                "INSERT INTO commitment VALUES (?,?,?)",
                (request.transaction_uid, destination, self._clock()),
            )
            db.executemany(
                "INSERT INTO commitment_item VALUES (?,?) ON CONFLICT DO NOTHING",
                [(request.transaction_uid, uid) for _, uid in request.instances],
            )

    def abandon(self, transaction_uid: str) -> None:
        """Forget a transaction the destination did not take."""
        with self._database.transaction() as db:
            db.execute("DELETE FROM commitment WHERE transaction_uid=?", (transaction_uid,))

    def settle(self, report: CommitmentReport) -> bool:
        """Enter a report: committed instances are done, failed ones are queued to be sent again.

        Only instances we asked about are touched. Returns whether the transaction is ours.
        """
        with self._database.transaction() as db:
            row = db.execute(
                "SELECT destination FROM commitment WHERE transaction_uid=?",
                (report.transaction_uid,),
            ).fetchone()
            if row is None:
                return False
            asked = (
                " WHERE destination=? AND sop_instance_uid=? AND state='sent' AND sop_instance_uid"
                " IN (SELECT sop_instance_uid FROM commitment_item WHERE transaction_uid=?)"
            )
            now, transaction_uid = self._clock(), report.transaction_uid
            db.executemany(
                "UPDATE delivery SET state='committed', updated_at=?" + asked,
                [(now, row[0], uid, transaction_uid) for _, uid in report.committed],
            )
            db.executemany(
                "UPDATE delivery SET state='queued', last_status=?, comment='not committed',"
                " next_attempt_at=?, updated_at=?" + asked,
                [(why, now, now, row[0], uid, transaction_uid) for _, uid, why in report.failed],
            )
            db.execute("DELETE FROM commitment WHERE transaction_uid=?", (transaction_uid,))
        if report.failed:
            LOG.error("%s did not commit %d instances", row[0], len(report.failed))
        return True
