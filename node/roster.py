"""The open associations of the listener, and the decision to open one more."""

from __future__ import annotations

import itertools
import threading
from dataclasses import dataclass, replace

from pynetdicom.association import Association

from node.admission import AssociationRequest, Rejection, no_room, unknown
from node.settings import ListenerSettings, Peer


@dataclass
class OpenAssociation:
    """One accepted association. `thread` is None until its reactor is made."""

    number: int
    calling_ae_title: str
    host: str
    thread: Association | None = None

    @property
    def has_ended(self) -> bool:
        """Whether the reactor ran and is over, however it ended."""
        thread = self.thread
        return thread is not None and thread.ident is not None and not thread.is_alive()


class Roster:
    """Counts associations by their threads: a dead thread frees its place, whatever killed it."""

    def __init__(self, listener: ListenerSettings) -> None:
        self._listener = listener
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._open: dict[int, OpenAssociation] = {}

    def admit(
        self, called_ae_title: str, calling_ae_title: str, host: str
    ) -> OpenAssociation | Rejection:
        """Decide on a request and, if there is room, take a place in the same breath."""
        request = AssociationRequest(called_ae_title, calling_ae_title, host)
        rejection = unknown(request, self._listener)
        if rejection is not None:
            return rejection
        with self._lock:
            alive = [each for each in self._open.values() if not each.has_ended]
            same_peer = [
                each
                for each in alive
                if each.host == host and each.calling_ae_title == calling_ae_title
            ]
            rejection = no_room(len(alive), len(same_peer), self._listener)
            if rejection is not None:
                return rejection
            place = OpenAssociation(next(self._numbers), calling_ae_title, host)
            self._open[place.number] = place
            return place

    def follow(self, peers: tuple[Peer, ...]) -> None:
        """Decide by these peers from now on; who is in stays in."""
        with self._lock:
            self._listener = replace(self._listener, peers=peers)

    def leave(self, place: OpenAssociation) -> None:
        """Give back a place whose association never started."""
        with self._lock:
            self._open.pop(place.number, None)

    def find(self, thread: Association) -> OpenAssociation | None:
        """Return the place of a running association."""
        with self._lock:
            return next((each for each in self._open.values() if each.thread is thread), None)

    def take_ended(self) -> tuple[OpenAssociation, ...]:
        """Remove and return the associations that ended since the last call."""
        with self._lock:
            ended = tuple(each for each in self._open.values() if each.has_ended)
            for place in ended:
                del self._open[place.number]
            return ended

    def alive(self) -> tuple[OpenAssociation, ...]:
        """Return the associations that have not ended."""
        with self._lock:
            return tuple(each for each in self._open.values() if not each.has_ended)
