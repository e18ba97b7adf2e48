"""C-GET as SCU: an archive sends a series back over the association that asked for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, cast

from pydicom.dataset import Dataset
from pynetdicom import build_role, evt
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.events import Event

from node.errors import STATUS_OUT_OF_RESOURCES, STATUS_SUCCESS, NotAcceptable, OutOfResources
from node.incoming import StoreRequest
from node.retrieve import Progress, Retrieval, unwatched
from node.retrieve_request import PATIENCE, REQUEST_SYNTAXES, Way, request_series
from node.scu import Negotiation
from node.settings import Destination
from node.sop_classes import CT_TRANSFER_SYNTAXES, RECEIVED_SOP_CLASSES
from node.spool import Spool

STUDY_ROOT_GET = "1.2.840.10008.5.1.4.1.2.2.3"


def get_contexts() -> list[tuple[str, list[Any]]]:
    """Return what is proposed: the request, and each CT class in each transfer syntax of its own.

    One context per syntax lets an archive send what it has as it is, without decompressing.
    """
    request: tuple[str, list[Any]] = (STUDY_ROOT_GET, REQUEST_SYNTAXES)
    storage: list[tuple[str, list[Any]]] = [
        (sop_class, [syntax])
        for sop_class in RECEIVED_SOP_CLASSES
        for syntax in CT_TRANSFER_SYNTAXES
    ]
    return [request, *storage]


def get_series(
    peer: Destination,
    series: tuple[str, str],
    spool: Spool,
    progress: Progress = unwatched,
    only: Sequence[str] = (),
) -> Retrieval:
    """Fetch one series into a spool; each image is acknowledged once it is durable.

    Parameters and errors are those of `request_series`.
    """

    def on_store(event: Event) -> int:
        return _keep(event, peer, spool)

    roles = [build_role(sop_class, scp_role=True) for sop_class in RECEIVED_SOP_CLASSES]
    negotiation = Negotiation(get_contexts(), roles, [(evt.EVT_C_STORE, on_store)], PATIENCE)
    way = Way("C-GET", STUDY_ROOT_GET, "us", negotiation, _request)
    return request_series(peer, series, way, progress, only)


def _request(
    association: Association, identifier: Dataset
) -> Iterator[tuple[Dataset, Dataset | None]]:
    return association.send_c_get(identifier, STUDY_ROOT_GET)


def _keep(event: Event, peer: Destination, spool: Spool) -> int:
    """Store one image and return the status to answer."""
    store = cast(C_STORE, event.request)
    request = StoreRequest(
        str(event.context.transfer_syntax),
        str(store.AffectedSOPClassUID),
        str(store.AffectedSOPInstanceUID),
        peer.ae_title,
    )
    data_set = store.DataSet
    try:
        spool.store(request, b"" if data_set is None else data_set.getbuffer())
    except NotAcceptable as error:
        return error.status
    except OutOfResources:
        return STATUS_OUT_OF_RESOURCES
    return STATUS_SUCCESS
