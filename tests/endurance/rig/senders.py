"""Scanners: each sends its series and repeats what was not acknowledged, as scanners do."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from pathlib import Path

from node import DeliveryResult, Destination, NodeError, Outcome, WebDestination, send_files

META_LENGTH_END = 144
GROUP_LENGTH_VALUE = slice(140, 144)
ACCEPTED = (Outcome.SENT, Outcome.WARNING)


def data_set_sha256(path: Path) -> str:
    """SHA-256 of a Part 10 file behind its meta information, read without the node's code."""
    content = path.read_bytes()
    meta_bytes = int.from_bytes(content[GROUP_LENGTH_VALUE], "little")
    return hashlib.sha256(memoryview(content)[META_LENGTH_END + meta_bytes :]).hexdigest()


class Sender(threading.Thread):
    """Sends series one after the other until every instance was answered with success.

    Parameters
    ----------
    turns
        One is taken for every series, so that a test can spread them over its time.

    Attributes
    ----------
    acknowledged
        Path of every file that was answered with success, entered at the answer.
    repeats
        Attempts that did not bring a whole series through.
    """

    def __init__(
        self,
        series: Sequence[Sequence[Path]],
        node: Destination,
        turns: threading.Semaphore | None = None,
    ) -> None:
        super().__init__(daemon=True)
        self._series = series
        self._node = node
        self._turns = turns or threading.Semaphore(len(series))
        self._giving_up = threading.Event()
        self.acknowledged: set[Path] = set()
        self.repeats = 0

    def give_up(self) -> None:
        self._giving_up.set()

    def run(self) -> None:
        for files in self._series:
            self._turns.acquire()
            self.send(files)

    def send(self, files: Sequence[Path]) -> None:
        """Send one series until all of it is acknowledged, or this sender gives up."""
        while missing := [path for path in files if path not in self.acknowledged]:
            if self._giving_up.is_set():
                return
            self._try(missing)
            if not self.acknowledged.issuperset(missing):
                self.repeats += 1
                self._giving_up.wait(0.3)

    def _try(self, files: list[Path]) -> None:
        try:
            send_files(files, self._node, self)
        except NodeError:
            return

    def instance_delivered(
        self, result: DeliveryResult, destination: Destination | WebDestination
    ) -> None:
        """See `node.scu.DeliveryObserver`."""
        del destination
        if result.outcome in ACCEPTED:
            self.acknowledged.add(result.path)
