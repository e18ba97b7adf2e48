"""Where rows live that several processes share: a SQLite file, or a PostgreSQL of several hosts.

Both are spoken to in SQLite's dialect with ``?`` for values; what PostgreSQL spells otherwise is
respelt here, so that every ledger has one text for both.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, LiteralString, Protocol, cast

import psycopg

from node.database import Database
from node.errors import Retryable

Location = Path | str
"""The path of a SQLite file, or a ``postgresql://`` URL."""
CONNECT_SECONDS = 10
SCHEMA_LOCK = 0x5F0DE
"""Advisory lock under which tables are made: two hosts may start at once."""


class Rows(Protocol):
    """Result of one statement."""

    @property
    def rowcount(self) -> int:
        """Rows changed."""

    def fetchone(self) -> Any:
        """The next row, or None."""

    def fetchall(self) -> list[Any]:
        """The remaining rows."""


class Statements(Protocol):
    """An open transaction."""

    def execute(self, query: str, values: Sequence[Any] = (), /) -> Rows:
        """Run one statement."""

    def executemany(self, query: str, rows: Sequence[Sequence[Any]], /) -> Rows:
        """Run one statement per row."""


class SharedDatabase(Protocol):
    """What the ledgers need of a database."""

    def close(self) -> None:
        """Release it."""

    def transaction(self) -> AbstractContextManager[Statements]:
        """Do everything inside at once or not at all."""

    def rows(self, query: str, values: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of one reading query."""


def open_database(location: Location, schema: str) -> SharedDatabase:
    """Open the database at `location` and make the tables that are not there yet.

    Raises
    ------
    Retryable
        The PostgreSQL server cannot be reached.
    sqlite3.Error
        The file cannot be used.
    """
    if isinstance(location, str) and location.startswith("postgresql"):
        return PostgresqlDatabase(location, schema)
    return cast("SharedDatabase", Database(Path(location), schema))


def postgresql_schema(schema: str) -> str:
    """Spell the column types and table options of a SQLite schema as PostgreSQL does."""
    for option in (" STRICT, WITHOUT ROWID", " STRICT", " WITHOUT ROWID"):
        schema = schema.replace(")" + option, ")")
    # REAL has seven digits there: seconds since the epoch need more.
    return schema.replace(" REAL", " DOUBLE PRECISION").replace(" INTEGER", " BIGINT")


class PostgresqlDatabase:
    """One connection for the threads of a process; a lost one is opened again at the next use.

    Raises
    ------
    Retryable
        From any method, while the server cannot be reached. What was being done is not done.
    """

    def __init__(self, url: str, schema: str) -> None:
        self._url = url.replace("postgresql+psycopg://", "postgresql://", 1)
        self._lock = threading.RLock()
        self._connection: psycopg.Connection[tuple[Any, ...]] | None = None
        with self.transaction() as db:
            db.execute("SELECT pg_advisory_xact_lock(?)", (SCHEMA_LOCK,))
            for statement in postgresql_schema(schema).split(";"):
                if statement.strip():
                    db.execute(statement)

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
            self._connection = None

    @contextmanager
    def transaction(self) -> Iterator[Statements]:
        """Do everything inside at once or not at all."""
        with self._lock:
            try:
                connection = self._connected()
                with connection.transaction():
                    yield _Statements(connection)
            except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                raise Retryable(f"database cannot be reached: {type(error).__name__}") from error

    def rows(self, query: str, values: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of one reading query."""
        with self.transaction() as db:
            return list(db.execute(query, values).fetchall())

    def _connected(self) -> psycopg.Connection[tuple[Any, ...]]:
        """The connection, made anew if the server has dropped it."""
        if self._connection is not None and not self._connection.closed:
            try:
                self._connection.execute("SELECT 1")
            except (psycopg.OperationalError, psycopg.InterfaceError):
                self._connection.close()
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(
                self._url,
                autocommit=True,
                connect_timeout=CONNECT_SECONDS,
                keepalives_idle=CONNECT_SECONDS,
                tcp_user_timeout=1000 * CONNECT_SECONDS,
            )
        return self._connection


class _Statements:
    """Passes statements on with PostgreSQL's placeholders."""

    def __init__(self, connection: psycopg.Connection[tuple[Any, ...]]) -> None:
        self._connection = connection

    def execute(self, query: str, values: Sequence[Any] = (), /) -> Rows:
        return self._connection.execute(_placeholders(query), values or None)

    def executemany(self, query: str, rows: Sequence[Sequence[Any]], /) -> Rows:
        cursor = self._connection.cursor()
        cursor.executemany(_placeholders(query), rows)
        return cursor


def _placeholders(query: str) -> LiteralString:
    # The statements are constants of this program; only their values come from outside.
    spelt: Any = query.replace("?", "%s")
    return cast("LiteralString", spelt)
