"""What the series that are arriving hold, asked of the index once for each of them."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Final

REMEMBERED_INSTANCES: Final = 50_000
"""About 300 bytes each; a series that was not touched for longest is forgotten first."""

Row = tuple[str, str]
"""SOPInstanceUID and checksum of one content."""


class SeriesContents:
    """Contents of instances by series key; whoever changes a series elsewhere forgets it here.

    Parameters
    ----------
    load
        Returns the rows of a series.
    """

    def __init__(self, load: Callable[[str], Iterable[Row]]) -> None:
        self._load = load
        self._lock = threading.Lock()
        self._series: OrderedDict[str, dict[str, tuple[str, ...]]] = OrderedDict()
        self._remembered = 0

    def versions(self, key: str, sop_instance_uid: str) -> tuple[str, ...]:
        """Return the checksum of each content held of an instance."""
        with self._lock:
            return self._of(key).get(sop_instance_uid, ())

    def add(self, key: str, sop_instance_uid: str, checksum: str) -> None:
        """Note a content."""
        with self._lock:
            self._note(self._of(key), sop_instance_uid, checksum)
            while self._remembered > REMEMBERED_INSTANCES and len(self._series) > 1:
                self._remembered -= len(self._series.popitem(last=False)[1])

    def forget(self, key: str) -> None:
        """Ask again the next time."""
        with self._lock:
            self._remembered -= len(self._series.pop(key, ()))

    def _of(self, key: str) -> dict[str, tuple[str, ...]]:
        known = self._series.get(key)
        if known is None:
            known = {}
            for row in self._load(key):
                self._note(known, *row)
            self._series[key] = known
        else:
            self._series.move_to_end(key)
        return known

    def _note(self, known: dict[str, tuple[str, ...]], uid: str, checksum: str) -> None:
        before = known.get(uid, ())
        known[uid] = (*before, checksum)
        self._remembered += not before
