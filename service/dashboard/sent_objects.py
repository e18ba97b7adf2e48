"""Which objects of a job an archive has: sent, committed, refused, one by one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from node import DeliveryState
from sr_writer import WrittenObject

StateOf = Callable[[str, str], DeliveryState | None]
"""State of an object at a destination, by name and SOPInstanceUID; None if not meant for it."""
_ARRIVED = (DeliveryState.SENT, DeliveryState.COMMITTED)
WORDS = {
    DeliveryState.QUEUED: "to be sent",
    DeliveryState.SENT: "stored",
    DeliveryState.COMMITTED: "stored, kept for good",
    DeliveryState.FAILED: "refused",
}


@dataclass(frozen=True)
class SentObjects:
    """The objects meant for one archive; `lines` are pairs of file name and state in words."""

    arrived: int
    lines: tuple[tuple[str, str], ...]

    @property
    def total(self) -> int:
        """How many are meant for it."""
        return len(self.lines)


def sent_objects(
    written: Sequence[WrittenObject], destination: str, state_of: StateOf
) -> SentObjects:
    """Ask for each object of a job."""
    states = [(each, state_of(destination, each.SOPInstanceUID)) for each in written]
    meant = [(each.path.name, state) for each, state in states if state is not None]
    return SentObjects(
        arrived=sum(1 for _, state in meant if state in _ARRIVED),
        lines=tuple((name, WORDS[state]) for name, state in meant),
    )
