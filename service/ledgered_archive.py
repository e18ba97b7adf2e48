"""One archive with what the ledger knows of it and what it is remembered to refuse."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from node import (
    DeliveryLedger,
    DeliveryRequest,
    DeliveryResult,
    DeliveryState,
    Destination,
    WebDestination,
)
from service.dispatch import AS_WRITTEN, SYNTAXES
from service.refusals import Encoding, Refusals
from sr_writer import WrittenObject

_ARRIVED = (DeliveryState.SENT, DeliveryState.COMMITTED)
Send = Callable[[Destination | WebDestination, Sequence[WrittenObject]], Sequence[DeliveryResult]]


@dataclass(frozen=True)
class LedgeredArchive:
    """Everything that is sent is entered before, and its result as soon as it is known.

    Attributes
    ----------
    memory_seconds
        How long a refusal is remembered.
    """

    destination: Destination | WebDestination
    ledger: DeliveryLedger
    memory: Refusals
    memory_seconds: float
    transmit: Send

    @property
    def syntaxes(self) -> tuple[str, ...]:
        """DICOMweb negotiates no transfer syntax: there objects go as they are."""
        return (AS_WRITTEN,) if isinstance(self.destination, WebDestination) else SYNTAXES

    def has(self, written: WrittenObject) -> bool:
        """Whether the ledger says that an object arrived."""
        row = self.ledger.find(self.destination.name, written.SOPInstanceUID)
        return row is not None and row.state in _ARRIVED

    def refusals(self) -> dict[Encoding, str]:
        """What it refused lately, and its words."""
        return self.memory.known(self.destination.name, self.memory_seconds)

    def remember(self, encoding: Encoding, comment: str) -> None:
        """Remember a refusal at negotiation; a web service refuses one object at a time."""
        if not isinstance(self.destination, WebDestination):
            self.memory.remember(self.destination.name, encoding, comment)

    def send(self, objects: Sequence[WrittenObject]) -> Sequence[DeliveryResult]:
        """Enter and send."""
        name = self.destination.name
        self.ledger.queue(
            DeliveryRequest(name, each.SOPInstanceUID, each.SOPClassUID, each.path)
            for each in objects
        )
        self.ledger.retry(name, [each.SOPInstanceUID for each in objects])
        return self.transmit(self.destination, objects)
