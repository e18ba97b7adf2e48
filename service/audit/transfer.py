"""One attempt to send results to an archive, audited at its beginning and its end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

from node import DeliveryResult, Destination, Outcome, WebDestination
from service.audit.events import Peer
from service.audit.recorder import Recorder, Sent
from service.request import Request
from sr_writer import WrittenObject

_ARRIVED = (Outcome.SENT, Outcome.WARNING)


class Transfer:
    """Records the beginning when it is made; then say how it ended."""

    def __init__(
        self,
        recorder: Recorder,
        request: Request,
        destination: Destination | WebDestination,
        objects: Sequence[WrittenObject],
    ) -> None:
        self._recorder = recorder
        self._request = request
        self._peer = peer_of(destination)
        self._classes = [each.SOPClassUID for each in objects]
        recorder.sending(self._sent(self._classes), self._peer)

    def ended(self, results: Iterable[DeliveryResult]) -> None:
        """Some arrived, some perhaps not: one message for each kind (A.5.2)."""
        arrived: list[str] = []
        others: list[str] = []
        for result in results:
            kind = arrived if result.outcome in _ARRIVED else others
            kind.append(result.SOPClassUID)
        if arrived:
            self._recorder.sent(self._sent(arrived), self._peer)
        if others:
            self._recorder.not_sent(self._sent(others), self._peer)

    def failed(self) -> None:
        """Nothing arrived."""
        self._recorder.not_sent(self._sent(self._classes), self._peer)

    def _sent(self, classes: list[str]) -> Sent:
        return Sent(
            self._request.StudyInstanceUID or "",
            tuple(sorted(Counter(classes).items())),
            self._request.files,
        )


def peer_of(destination: Destination | WebDestination) -> Peer:
    """An archive as audit messages name it."""
    if isinstance(destination, WebDestination):
        return Peer("", urlsplit(destination.dicomweb_url).hostname or destination.name)
    return Peer(destination.ae_title, destination.host)
