"""Index entries of files that are safe already: they wait for one transaction to take many."""

from __future__ import annotations

import enum
import logging
import sqlite3
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from node.received import StoredInstance

LOG = logging.getLogger(__name__)
LATENESS_SECONDS: Final = 0.25
RETRY_SECONDS: Final = 1.0
LONGEST_QUEUE: Final = 10_000


class Addition(enum.Enum):
    """What adding a data set meant for its series."""

    NEW = "new"
    KNOWN = "known"
    CHANGED = "changed"


@dataclass(frozen=True)
class Entry:
    """A data set with a durable file that is to get its row; `key` is that of its series."""

    key: str
    instance: StoredInstance
    addition: Addition


class LateEntries:
    """Keeps entries in memory for a moment and writes them together, in a thread of its own.

    Parameters
    ----------
    write
        Writes entries in one durable transaction, all or none; what it raises of SQLite leaves
        them waiting.
    """

    def __init__(self, write: Callable[[Sequence[Entry]], None]) -> None:
        self._write = write
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._waiting: list[Entry] = []
        self._wanted = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="spool-index", daemon=True)
        self._thread.start()

    def put(self, entry: Entry) -> None:
        """Take an entry; what a full disk or the end of the thread makes wait is written at once.

        Raises
        ------
        sqlite3.Error
            Too many wait, and they still cannot be written.
        """
        if len(self._waiting) >= LONGEST_QUEUE or not self._thread.is_alive():
            self.flush()
        with self._lock:
            self._waiting.append(entry)
        if not self._wanted.is_set():
            self._wanted.set()

    def flush(self) -> None:
        """Write all that wait."""
        with self._writing:
            with self._lock:
                batch = self._waiting[:]
            if not batch:
                return
            self._write(batch)
            with self._lock:
                del self._waiting[: len(batch)]

    def close(self) -> None:
        """Write all that wait, and end."""
        self._closing.set()
        self._wanted.set()
        self._thread.join()
        self.flush()

    def _run(self) -> None:
        while not self._closing.is_set():
            self._wanted.wait()
            self._closing.wait(LATENESS_SECONDS)
            self._wanted.clear()
            try:
                self.flush()
            except sqlite3.Error as error:
                LOG.error("index entries wait: %s", type(error).__name__)
                self._closing.wait(RETRY_SECONDS)
                self._wanted.set()
