"""Who works: each process on a shared queue holds a lease on its name while it lives.

A process that does not renew its lease is dead: killed, or cut off from the database. Its jobs go
to the others, and never while it may still be working on them: a process that could not renew
stops itself before the others may think it dead. Times of the table are the database's own, so
that the clocks of the hosts need not agree; a process measures its own patience with a clock that
runs on while it is suspended.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from node.errors import Retryable
from node.shared_database import PostgresqlDatabase, Statements

log = logging.getLogger(__name__)

SCHEMA = """
CREATE TABLE IF NOT EXISTS worker (
    name TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    host TEXT NOT NULL,
    pid INTEGER NOT NULL,
    renewed_at REAL NOT NULL
) STRICT, WITHOUT ROWID;
"""
NOW = "extract(epoch FROM clock_timestamp())"
CLAIM_LOCK = 0x5F1EA
"""Advisory lock under which names are claimed: a row that is not there cannot be locked."""
BEATS_PER_LEASE = 6
OWN_PATIENCE = 2 / 3
"""Part of the lease after which the holder itself no longer trusts it."""


class Lease:
    """The lease of one process on one name.

    Parameters
    ----------
    seconds
        Without renewal for this long, others take the name's jobs.
    """

    def __init__(self, database_url: str, name: str, seconds: float) -> None:
        self.name = name
        self.seconds = seconds
        self._holder = uuid.uuid4().hex
        self._database = PostgresqlDatabase(database_url, SCHEMA)
        self._trusted_until = 0.0
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []

    def acquire(self) -> None:
        """Wait until the name is free, and take it.

        It is free at once if its last holder was a process of this host that is gone.
        """
        waiting_said = False
        while not self._claim(self.name):
            if not waiting_said:
                log.warning(
                    "another process holds this worker's name; waiting until it ends or its "
                    "lease does (spinenode worker --name gives another)",
                    extra={"worker": self.name, "lease_seconds": self.seconds},
                )
                waiting_said = True
            self._stopping.wait(self.seconds / BEATS_PER_LEASE)

    def keep(self, each_beat: Callable[[], None], on_lost: Callable[[], None]) -> None:
        """Renew in the background; `each_beat` follows a renewal, `on_lost` a lease run out."""
        # Two threads: a renewal may hang in the network, and the watch must not hang with it.
        for name, run, told in (("beat", self._beat, each_beat), ("watch", self._watch, on_lost)):
            thread = threading.Thread(target=run, args=(told,), name=f"lease-{name}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def trusted(self) -> bool:
        """Whether nobody can have taken our jobs yet."""
        return _clock() < self._trusted_until

    def release(self) -> None:
        """Give the name back: nothing of ours is running any more."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(timeout=self.seconds)
        try:
            with self._database.transaction() as db:
                db.execute(
                    "DELETE FROM worker WHERE name=? AND holder=?", (self.name, self._holder)
                )
        except Retryable:
            log.warning("the lease could not be given back; it will run out")
        self._database.close()

    def alive(self) -> frozenset[str]:
        """Names whose lease has not run out."""
        rows = self._database.rows(
            f"SELECT name FROM worker WHERE renewed_at > {NOW} - ?", (self.seconds,)
        )
        return frozenset(row[0] for row in rows)

    def take_over(self, name: str, recover: Callable[[], None]) -> bool:
        """Run `recover` while holding a dead process's name; False if it is held by another.

        Holding the name meanwhile keeps the dead process from coming back in between.
        """
        if not self._claim(name):
            return False
        recover()
        with self._database.transaction() as db:
            db.execute("DELETE FROM worker WHERE name=? AND holder=?", (name, self._holder))
        return True

    def _claim(self, name: str) -> bool:
        asked_at = _clock()
        with self._database.transaction() as db:
            db.execute("SELECT pg_advisory_xact_lock(?)", (CLAIM_LOCK,))
            if not self._is_free(db, name):
                return False
            db.execute(
                f"INSERT INTO worker VALUES (?,?,?,?,{NOW}) ON CONFLICT (name) DO UPDATE SET"
                " holder=excluded.holder, host=excluded.host, pid=excluded.pid,"
                " renewed_at=excluded.renewed_at",
                (name, self._holder, socket.gethostname(), os.getpid()),
            )
        if name == self.name:
            self._trusted_until = asked_at + self.seconds * OWN_PATIENCE
        return True

    def _is_free(self, db: Statements, name: str) -> bool:
        row = db.execute(
            f"SELECT holder, host, pid, {NOW} - renewed_at FROM worker WHERE name=?",
            (name,),
        ).fetchone()
        if row is None or row[0] == self._holder or float(row[3]) > self.seconds:
            return True
        return row[1] == socket.gethostname() and _is_gone(int(row[2]))

    def _renew(self) -> bool:
        asked_at = _clock()
        with self._database.transaction() as db:
            renewed = db.execute(
                f"UPDATE worker SET renewed_at={NOW} WHERE name=? AND holder=?",
                (self.name, self._holder),
            ).rowcount
        if renewed:
            self._trusted_until = asked_at + self.seconds * OWN_PATIENCE
        return bool(renewed) or self._claim(self.name)

    def _beat(self, each_beat: Callable[[], None]) -> None:
        while not self._stopping.wait(self.seconds / BEATS_PER_LEASE):
            try:
                if self._renew():
                    each_beat()
            except Retryable as error:
                log.error("the lease cannot be renewed", extra={"problem": str(error)})

    def _watch(self, on_lost: Callable[[], None]) -> None:
        while not self._stopping.wait(min(1.0, self.seconds / BEATS_PER_LEASE)):
            if not self.trusted():
                on_lost()


def _clock() -> float:
    """Seconds of a clock that runs on while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _is_gone(pid: int) -> bool:
    """Whether a process of this host has ended; our own number means that it was another's."""
    return pid == os.getpid() or not Path(f"/proc/{pid}").exists()
