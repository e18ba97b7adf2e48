"""SQLite index of the spool: which instances are safe, and which series still want handing on.

The files are what is promised; the rows of new ones follow within `LATENESS_SECONDS`, many in one
durable transaction, and `node.recovery` makes those again that a kill or a power cut took. Every
other change and every question first writes the rows that wait. A series carries two counters:
`revision` grows with every accepted data set, `handed_revision` follows once the consumer has
taken that instance set.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass, fields
from operator import attrgetter
from pathlib import Path

from node.contents import SeriesContents
from node.database import Database
from node.index_schema import open_index
from node.late_entries import Addition, Entry, LateEntries
from node.received import StoredInstance, series_key

INSTANCE_COLUMNS = (
    "sop_instance_uid, sop_class_uid, study_instance_uid, series_instance_uid, modality, "
    "checksum, size_bytes, path, transfer_syntax_uid, calling_ae_title"
)
# In the order of the columns; `dataclasses.astuple` would copy each value, once per instance.
VALUES_OF = attrgetter(*(field.name for field in fields(StoredInstance)))


RESTED = "revision=handed_revision AND updated_at<?"
INSERT_INSTANCE = (
    f"INSERT OR REPLACE INTO instance (series_key, is_current, {INSTANCE_COLUMNS})"
    " VALUES (?,1,?,?,?,?,?,?,?,?,?,?)"
)


@dataclass(frozen=True)
class SeriesRecord:
    """State of one series at one `revision`, with the current version of each instance."""

    key: str
    StudyInstanceUID: str
    SeriesInstanceUID: str
    calling_ae_title: str
    revision: int
    handed_revision: int
    instances: tuple[StoredInstance, ...]


class SpoolIndex:
    """The index file. Safe to use from several threads of one process."""

    def __init__(self, path: Path) -> None:
        self._database = open_index(path)
        self._late = LateEntries(self._write)
        self._contents = SeriesContents(self._load_contents)

    def close(self) -> None:
        """Write what waits and close the file; the index cannot be used afterwards."""
        try:
            self._late.close()
        finally:
            self._database.close()

    def versions(self, key: str, sop_instance_uid: str) -> tuple[str, ...]:
        """Return the checksum of each content held of an instance."""
        return self._contents.versions(key, sop_instance_uid)

    def _load_contents(self, key: str) -> list[tuple[str, str]]:
        query = "SELECT sop_instance_uid, checksum FROM instance WHERE series_key=?"
        return [(str(uid), str(checksum)) for uid, checksum in self._settled.rows(query, (key,))]

    def add(self, instance: StoredInstance) -> Addition:
        """Record a data set whose file is durable already.

        Whoever adds a content of an instance adds no other of the same instance meanwhile.
        """
        key = series_key(instance.StudyInstanceUID, instance.SeriesInstanceUID)
        versions = self.versions(key, instance.SOPInstanceUID)
        if instance.checksum in versions:
            return Addition.KNOWN
        addition = Addition.CHANGED if versions else Addition.NEW
        self.enter(Entry(key, instance, addition))
        return addition

    def enter(self, entry: Entry) -> None:
        """Record what `versions` did not contain; see `add`."""
        self._late.put(entry)
        instance = entry.instance
        self._contents.add(entry.key, instance.SOPInstanceUID, instance.checksum)

    @property
    def _settled(self) -> Database:
        """The database with every row; on a full disk the rows go on waiting, and this raises."""
        self._late.flush()
        return self._database

    def _write(self, entries: Sequence[Entry]) -> None:
        """Make rows of entries in one transaction, in their order."""
        now = time.time()
        with self._database.transaction() as db:
            db.executemany(
                "INSERT INTO series VALUES (?,?,?,?,1,0,?,0) ON CONFLICT(series_key) DO UPDATE SET"
                " revision=revision+1, updated_at=excluded.updated_at, purging=0,"
                " calling_ae_title=excluded.calling_ae_title",
                [
                    (
                        each.key,
                        each.instance.StudyInstanceUID,
                        each.instance.SeriesInstanceUID,
                        each.instance.calling_ae_title,
                        now,
                    )
                    for each in entries
                ],
            )
            # The first content of an instance comes before all that change it.
            first = [each for each in entries if each.addition is Addition.NEW]
            db.executemany(INSERT_INSTANCE, [_row(each) for each in first])
            for each in entries:
                if each.addition is Addition.CHANGED:
                    _supersede(db, each)

    def unhanded_series(self) -> tuple[str, ...]:
        """Return the keys of series with instances that no consumer has taken yet."""
        query = "SELECT series_key FROM series WHERE revision > handed_revision AND purging=0"
        return tuple(row[0] for row in self._settled.rows(query))

    def is_arriving(self, study_instance_uid: str) -> bool:
        """Return whether a study has instances that no consumer has taken yet."""
        query = (
            "SELECT 1 FROM series WHERE study_instance_uid=? AND revision > handed_revision"
            " AND purging=0 LIMIT 1"
        )
        return bool(self._settled.rows(query, (study_instance_uid,)))

    def record(self, key: str) -> SeriesRecord | None:
        """Return the series as it stands, or None if it is unknown."""
        with self._settled.transaction() as db:
            row = db.execute(
                "SELECT study_instance_uid, series_instance_uid, calling_ae_title, revision,"
                " handed_revision FROM series WHERE series_key=? AND purging=0",
                (key,),
            ).fetchone()
            if row is None:
                return None
            rows = db.execute(
                f"SELECT {INSTANCE_COLUMNS} FROM instance WHERE series_key=? AND is_current=1"
                " ORDER BY sop_instance_uid",
                (key,),
            ).fetchall()
        study, series, calling, revision, handed = row
        instances = tuple(StoredInstance(*each) for each in rows)
        return SeriesRecord(key, study, series, calling, revision, handed, instances)

    def mark_handed_over(self, key: str, revision: int) -> None:
        """Remember that a consumer took the instance set of `revision`."""
        with self._settled.transaction() as db:
            db.execute(
                "UPDATE series SET handed_revision=max(handed_revision, ?) WHERE series_key=?",
                (revision, key),
            )
        self._contents.forget(key)

    def handed_before(self, updated_before: float) -> tuple[str, ...]:
        """Return series handed over completely and unchanged since a time (seconds, epoch)."""
        query = f"SELECT series_key FROM series WHERE {RESTED}"
        return tuple(row[0] for row in self._settled.rows(query, (updated_before,)))

    def begin_purge(self, key: str) -> bool:
        """Note durably that the files of a series may disappear from now on; False if unknown."""
        return self._begin_purge("series_key=?", key)

    def begin_purge_of_rested(self, key: str, updated_before: float) -> bool:
        """Begin to purge if `handed_before` still has the series."""
        return self._begin_purge(f"series_key=? AND {RESTED}", key, updated_before)

    def _begin_purge(self, condition: str, *values: object) -> bool:
        with self._settled.transaction() as db:
            begun = db.execute(f"UPDATE series SET purging=1 WHERE {condition}", values).rowcount
        self._contents.forget(str(values[0]))
        return bool(begun)

    def forget(self, key: str) -> None:
        """Remove a series and its instances from the index."""
        with self._settled.transaction() as db:
            db.execute("DELETE FROM series WHERE series_key=?", (key,))
        self._contents.forget(key)

    def purging_series(self) -> tuple[str, ...]:
        """Return series whose purge was begun and not finished."""
        query = "SELECT series_key FROM series WHERE purging=1"
        return tuple(row[0] for row in self._settled.rows(query))

    def sop_classes_of(self, sop_instance_uid: str) -> frozenset[str]:
        """Return under which SOP classes an instance is held; empty if it is not."""
        query = (
            "SELECT sop_class_uid FROM instance JOIN series USING (series_key)"
            " WHERE sop_instance_uid=? AND purging=0"
        )
        return frozenset(row[0] for row in self._settled.rows(query, (sop_instance_uid,)))

    def paths(self) -> frozenset[str]:
        """Return every indexed file, relative to the spool."""
        return frozenset(row[0] for row in self._settled.rows("SELECT path FROM instance"))

    def drop_version(self, path: str) -> None:
        """Remove the entry of a file that is gone; another version of it becomes current."""
        with self._settled.transaction() as db:
            row = db.execute(
                "DELETE FROM instance WHERE path=? RETURNING series_key, sop_instance_uid", (path,)
            ).fetchone()
            if row is None:
                return
            db.execute(
                "UPDATE instance SET is_current=1 WHERE (series_key, sop_instance_uid, checksum) ="
                " (SELECT series_key, sop_instance_uid, max(checksum) FROM instance"
                " WHERE series_key=? AND sop_instance_uid=? HAVING sum(is_current)=0)",
                row,
            )
            db.execute(
                "DELETE FROM series WHERE series_key=? AND series_key NOT IN"
                " (SELECT series_key FROM instance)",
                (row[0],),
            )
        # Not inside the transaction: whoever loads contents waits for the database.
        self._contents.forget(row[0])

    def counts(self) -> tuple[int, int]:
        """Return the number of series and of instance versions."""
        query = "SELECT (SELECT count(*) FROM series), (SELECT count(*) FROM instance)"
        ((series, instances),) = self._settled.rows(query)
        return int(series), int(instances)


def _supersede(db: sqlite3.Connection, entry: Entry) -> None:
    db.execute(
        "UPDATE instance SET is_current=0 WHERE series_key=? AND sop_instance_uid=?",
        (entry.key, entry.instance.SOPInstanceUID),
    )
    db.execute(INSERT_INSTANCE, _row(entry))


def _row(entry: Entry) -> tuple[object, ...]:
    return (entry.key, *VALUES_OF(entry.instance))
