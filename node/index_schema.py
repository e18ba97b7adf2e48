"""The tables of the spool's index, and what becomes of those that an earlier version made."""

from __future__ import annotations

from pathlib import Path

from node.database import Database

SCHEMA = """
CREATE TABLE IF NOT EXISTS series (
    series_key TEXT PRIMARY KEY,
    study_instance_uid TEXT NOT NULL,
    series_instance_uid TEXT NOT NULL,
    calling_ae_title TEXT NOT NULL,
    revision INTEGER NOT NULL,
    handed_revision INTEGER NOT NULL DEFAULT 0,
    updated_at REAL NOT NULL,
    purging INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE IF NOT EXISTS instance (
    series_key TEXT NOT NULL REFERENCES series ON DELETE CASCADE,
    is_current INTEGER NOT NULL,
    sop_instance_uid TEXT NOT NULL,
    sop_class_uid TEXT NOT NULL,
    study_instance_uid TEXT NOT NULL,
    series_instance_uid TEXT NOT NULL,
    modality TEXT NOT NULL,
    checksum TEXT NOT NULL,
    size_bytes INTEGER NOT NULL,
    path TEXT NOT NULL,
    transfer_syntax_uid TEXT NOT NULL,
    calling_ae_title TEXT NOT NULL,
    PRIMARY KEY (series_key, sop_instance_uid, checksum)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS instance_uid ON instance (sop_instance_uid);
CREATE INDEX IF NOT EXISTS series_unhanded ON series (series_key) WHERE revision > handed_revision;
"""


def open_index(path: Path) -> Database:
    """Open the index file, made or brought up to date if need be.

    Versions that an earlier program named by SHA-256 keep their names.
    """
    database = Database(path, SCHEMA)
    with database.transaction() as db:
        columns = {row[1] for row in db.execute("PRAGMA table_info(instance)")}
        if "sha256" in columns:
            db.execute("ALTER TABLE instance RENAME COLUMN sha256 TO checksum")
    return database
