"""Which archives take no results at the moment, since when, and why."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from service.errors import ServiceError


@dataclass(frozen=True)
class _Trouble:
    since: float
    attempts: int
    text: str


class DeliveryWatch:
    """Stands between the queue and the deliveries and remembers the last failure of each archive.

    Nothing of it outlives the process: the next attempt after a start tells anew.

    Parameters
    ----------
    deliver
        ``deliver(job_id, destination)``; raises `ServiceError` when not everything arrived.
    """

    def __init__(
        self, deliver: Callable[[str, str], str], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._deliver = deliver
        self._clock = clock
        self._lock = threading.Lock()
        self._troubles: dict[str, _Trouble] = {}

    def deliver(self, job_id: str, destination: str) -> str:
        """Deliver, and note how it went."""
        try:
            comment = self._deliver(job_id, destination)
        except ServiceError as error:
            self._failed(destination, str(error))
            raise
        with self._lock:
            self._troubles.pop(destination, None)
        return comment

    def notices(self) -> dict[str, str]:
        """What to say about archives, by name; empty while every delivery arrives."""
        now = self._clock()
        with self._lock:
            troubles = dict(self._troubles)
        return {
            f"delivery to {name}": f"not possible for {(now - trouble.since) / 60:.0f} min"
            f" ({trouble.attempts} attempts); {trouble.text}"
            for name, trouble in troubles.items()
        }

    def _failed(self, destination: str, text: str) -> None:
        with self._lock:
            known = self._troubles.get(destination)
            since = known.since if known else self._clock()
            attempts = known.attempts + 1 if known else 1
            self._troubles[destination] = _Trouble(since, attempts, text)
