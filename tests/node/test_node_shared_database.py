"""The database that several hosts share: what happens when the server drops us or is gone."""

from __future__ import annotations

import psycopg
import pytest

from node import Retryable
from node.shared_database import PostgresqlDatabase, open_database, postgresql_schema

SCHEMA = "CREATE TABLE IF NOT EXISTS t (a TEXT PRIMARY KEY, at REAL NOT NULL) STRICT, WITHOUT ROWID"


def test_times_keep_their_fractions_on_postgresql(postgresql_url):
    database = open_database(postgresql_url, SCHEMA)
    with database.transaction() as db:
        db.execute("INSERT INTO t VALUES (?,?)", ("x", 1_800_000_000.125))
    assert database.rows("SELECT at FROM t WHERE a=?", ("x",)) == [(1_800_000_000.125,)]
    database.close()


def test_what_fails_half_way_leaves_nothing(postgresql_url):
    database = open_database(postgresql_url, SCHEMA)
    with pytest.raises(psycopg.errors.UniqueViolation), database.transaction() as db:
        db.executemany("INSERT INTO t VALUES (?,?)", [("x", 1.0), ("x", 2.0)])
    assert database.rows("SELECT a FROM t") == []
    database.close()


def test_a_connection_the_server_dropped_is_opened_again(postgresql_url):
    database = open_database(postgresql_url, SCHEMA)
    with psycopg.connect(postgresql_url, autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    assert database.rows("SELECT a FROM t") == []
    database.close()


def test_a_server_that_is_not_there_is_worth_another_attempt():
    with pytest.raises(Retryable, match="cannot be reached"):
        PostgresqlDatabase("postgresql://spine@127.0.0.1:1/nothing", SCHEMA)


def test_the_schema_is_respelt_and_otherwise_the_same():
    assert postgresql_schema(SCHEMA) == (
        "CREATE TABLE IF NOT EXISTS t (a TEXT PRIMARY KEY, at DOUBLE PRECISION NOT NULL)"
    )
