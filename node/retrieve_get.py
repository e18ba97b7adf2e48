"""C-GET as SCU: an archive sends a series back over the association that asked for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import build_role, evt
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.events import Event

from node.errors import (
    STATUS_OUT_OF_RESOURCES,
    STATUS_SUCCESS,
    NotAcceptable,
    OutOfResources,
    Permanent,
)
from node.incoming import StoreRequest
from node.retrieve import Progress, Retrieval, unwatched
from node.retrieve_status import SubOperations, retrieve_identifier
from node.scu import Negotiation, Patience, associated
from node.settings import Destination
from node.sop_classes import CT_TRANSFER_SYNTAXES, RECEIVED_SOP_CLASSES
from node.spool import Spool

STUDY_ROOT_GET = "1.2.840.10008.5.1.4.1.2.2.3"
PATIENCE = Patience(connect_seconds=10.0, response_seconds=600.0)


def get_contexts() -> list[tuple[str, list[Any]]]:
    """Return what is proposed: the request, and each CT class in each transfer syntax of its own.

    One context per syntax lets an archive send what it has as it is, without decompressing.
    """
    request: tuple[str, list[Any]] = (
        STUDY_ROOT_GET,
        [ImplicitVRLittleEndian, ExplicitVRLittleEndian],
    )
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

    Parameters
    ----------
    series
        StudyInstanceUID and SeriesInstanceUID.
    only
        SOPInstanceUIDs to fetch; empty fetches the whole series.

    Raises
    ------
    Retryable
        Not reachable, busy, or the association ended before the final answer.
    Permanent
        The archive does not know us, or does not offer C-GET.
    """
    operations = SubOperations(peer.name, "us", progress)

    def on_store(event: Event) -> int:
        return _keep(event, peer, spool)

    roles = [build_role(sop_class, scp_role=True) for sop_class in RECEIVED_SOP_CLASSES]
    negotiation = Negotiation(get_contexts(), roles, [(evt.EVT_C_STORE, on_store)], PATIENCE)
    with associated(peer, negotiation) as association:
        offered = {str(context.abstract_syntax) for context in association.accepted_contexts}
        if STUDY_ROOT_GET not in offered:
            raise Permanent(f"{peer.name} does not offer C-GET (Study Root)")
        identifier = retrieve_identifier(*series, only)
        for status, _ in association.send_c_get(identifier, STUDY_ROOT_GET):
            operations.answered(status)
    return operations.result()


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
