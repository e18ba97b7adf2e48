"""A series asked for by C-GET or C-MOVE (PS3.4 Annex C.4): what both have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom.association import Association

from node.errors import Permanent
from node.retrieve import Progress, Retrieval
from node.retrieve_status import SubOperations, retrieve_identifier
from node.scu import Negotiation, Patience, associated
from node.settings import Destination

PATIENCE = Patience(connect_seconds=10.0, response_seconds=600.0)
"""An archive may take a series from slow storage, and is silent meanwhile."""
REQUEST_SYNTAXES = [ImplicitVRLittleEndian, ExplicitVRLittleEndian]


@dataclass(frozen=True)
class Way:
    """One of the two services.

    Attributes
    ----------
    receiver
        Who gets the images, in words.
    request
        Sends the request with an identifier; yields the responses.
    """

    service: str
    sop_class_uid: str
    receiver: str
    negotiation: Negotiation
    request: Callable[[Association, Dataset], Iterable[tuple[Dataset, Dataset | None]]]


def request_series(
    peer: Destination,
    series: tuple[str, str],
    way: Way,
    progress: Progress,
    only: Sequence[str] = (),
) -> Retrieval:
    """Ask for one series and follow the answers.

    Parameters
    ----------
    series
        StudyInstanceUID and SeriesInstanceUID.
    only
        SOPInstanceUIDs to ask for; empty asks for the whole series.

    Raises
    ------
    Retryable
        Not reachable, busy, or the association ended before the final answer.
    Permanent
        The archive does not know us, or does not offer the service.
    """
    operations = SubOperations(peer.name, way.receiver, progress)
    with associated(peer, way.negotiation) as association:
        offered = {str(context.abstract_syntax) for context in association.accepted_contexts}
        if way.sop_class_uid not in offered:
            raise Permanent(f"{peer.name} does not offer {way.service} (Study Root)")
        for status, _ in way.request(association, retrieve_identifier(*series, only)):
            operations.answered(status)
    return operations.result()
