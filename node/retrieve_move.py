"""C-MOVE as SCU: an archive sends a series to a storage SCP that it knows by its AE title."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pydicom.dataset import Dataset
from pynetdicom.association import Association

from node.retrieve import Progress, Retrieval, unwatched
from node.retrieve_request import PATIENCE, REQUEST_SYNTAXES, Way, request_series
from node.scu import Negotiation
from node.settings import Destination

STUDY_ROOT_MOVE = "1.2.840.10008.5.1.4.1.2.2.2"
CONTEXTS = [(STUDY_ROOT_MOVE, REQUEST_SYNTAXES)]


def move_series(
    peer: Destination,
    series: tuple[str, str],
    move_destination: str,
    progress: Progress = unwatched,
    only: Sequence[str] = (),
) -> Retrieval:
    """Ask an archive to send one series to the AE title `move_destination`.

    Parameters and errors are those of `request_series`; `Permanent` too if the archive does not
    know the move destination.
    """

    def request(
        association: Association, identifier: Dataset
    ) -> Iterator[tuple[Dataset, Dataset | None]]:
        return association.send_c_move(identifier, move_destination, STUDY_ROOT_MOVE)

    receiver = f"the move destination {move_destination}"
    negotiation = Negotiation(CONTEXTS, patience=PATIENCE)
    way = Way("C-MOVE", STUDY_ROOT_MOVE, receiver, negotiation, request)
    return request_series(peer, series, way, progress, only)
