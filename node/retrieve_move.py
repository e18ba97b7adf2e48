"""C-MOVE as SCU: an archive sends a series to a storage SCP that it knows by its AE title."""

from __future__ import annotations

from collections.abc import Sequence

from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from node.errors import Permanent
from node.retrieve import Progress, Retrieval, unwatched
from node.retrieve_status import SubOperations, retrieve_identifier
from node.scu import Negotiation, Patience, associated
from node.settings import Destination

STUDY_ROOT_MOVE = "1.2.840.10008.5.1.4.1.2.2.2"
CONTEXTS = [(STUDY_ROOT_MOVE, [ImplicitVRLittleEndian, ExplicitVRLittleEndian])]
# An archive may take a series from slow storage, and is silent meanwhile.
PATIENCE = Patience(connect_seconds=10.0, response_seconds=600.0)


def move_series(
    peer: Destination,
    series: tuple[str, str],
    move_destination: str,
    progress: Progress = unwatched,
    only: Sequence[str] = (),
) -> Retrieval:
    """Ask an archive to send one series to the AE title `move_destination`.

    Parameters
    ----------
    series
        StudyInstanceUID and SeriesInstanceUID.
    only
        SOPInstanceUIDs to send; empty sends the whole series.

    Raises
    ------
    Retryable
        Not reachable, busy, or the association ended before the final answer.
    Permanent
        The archive does not know us or the move destination, or does not offer C-MOVE.
    """
    operations = SubOperations(peer.name, f"the move destination {move_destination}", progress)
    with associated(peer, Negotiation(CONTEXTS, patience=PATIENCE)) as association:
        if not association.is_established:
            raise Permanent(f"{peer.name} does not offer C-MOVE (Study Root)")
        identifier = retrieve_identifier(*series, only)
        for status, _ in association.send_c_move(identifier, move_destination, STUDY_ROOT_MOVE):
            operations.answered(status)
    return operations.result()
