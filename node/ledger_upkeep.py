"""Deletes the rows of deliveries whose objects are deleted, so that the ledgers do not grow."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from node import commitment_ledger, ledger
from node.shared_database import Location, open_database

_AFTER_SEPARATOR = chr(ord(os.sep) + 1)
"""Paths below a folder sort between the folder with a separator and the folder with this."""


class LedgerUpkeep:
    """Works on the database of a `DeliveryLedger` and its `CommitmentLedger`."""

    def __init__(self, location: Location, clock: Callable[[], float] = time.time) -> None:
        self._database = open_database(location, ledger.SCHEMA + commitment_ledger.SCHEMA)
        self._clock = clock

    def close(self) -> None:
        """Release the database."""
        self._database.close()

    def forget_below(self, folders: Iterable[Path]) -> None:
        """Forget the deliveries of files that lay in these folders."""
        ranges = [(f"{each}{os.sep}", f"{each}{_AFTER_SEPARATOR}") for each in folders]
        with self._database.transaction() as db:
            db.executemany("DELETE FROM delivery WHERE path > ? AND path < ?", ranges)

    def forget_unreported(self, older_than_seconds: float) -> int:
        """Forget commitment transactions that were never reported on; return how many."""
        with self._database.transaction() as db:
            return db.execute(
                "DELETE FROM commitment WHERE requested_at < ?",
                (self._clock() - older_than_seconds,),
            ).rowcount
