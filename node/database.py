"""One SQLite file with durable transactions, shared by the threads of a process."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

WAIT_SECONDS = 30.0


class Database:
    """Write-ahead log with synchronous=FULL: a transaction that ended survives a power cut."""

    def __init__(self, path: Path, schema: str) -> None:
        self._lock = threading.RLock()
        self._connection = sqlite3.connect(
            path, check_same_thread=False, isolation_level=None, timeout=WAIT_SECONDS
        )
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=FULL")
        self._connection.execute("PRAGMA foreign_keys=ON")
        self._connection.executescript(schema)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Do everything inside at once or not at all."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            # Commits at the end, or rolls back what a full disk has not rolled back already.
            with self._connection:
                yield self._connection

    def rows(self, query: str, values: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of one reading query."""
        with self._lock:
            return self._connection.execute(query, values).fetchall()
