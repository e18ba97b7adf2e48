"""WADO-RS as user agent: a series fetched instance by instance (PS3.18 Section 10.4).

By instance and not as one answer of hundreds of megabytes: what arrived is kept when a connection
breaks, and what is there already is not fetched again.
"""

from __future__ import annotations

import http.client
from collections.abc import Iterator, Sequence

from node.errors import NotAcceptable, OutOfResources, Permanent, Retryable
from node.header import read_header
from node.incoming import StoreRequest
from node.multipart import MultipartReader, boundary_of
from node.part10 import HEAD_BYTES, parse_meta
from node.retrieve import Progress, Retrieval, unwatched
from node.settings import WebDestination
from node.spool import Spool
from node.web import WebReader

# "*": as it is stored, without converting (PS3.18 Section 8.7.3.5.2).
ACCEPT = 'multipart/related; type="application/dicom"; transfer-syntax=*'
MOST_FAILURES_IN_A_ROW = 5


def get_instances(
    peer: WebDestination,
    series: tuple[str, str],
    sop_instance_uids: Sequence[str],
    spool: Spool,
    progress: Progress = unwatched,
) -> Retrieval:
    """Fetch the instances of one series that the spool does not hold yet.

    Parameters
    ----------
    series
        StudyInstanceUID and SeriesInstanceUID.

    Raises
    ------
    Retryable
        Not reachable, or the spool has no room.
    Permanent
        The service refuses us.
    """
    study_uid, series_uid = series
    reader = WebReader(peer)
    arrived = failed = in_a_row = 0
    comment = ""
    try:
        for uid in sop_instance_uids:
            path = f"/studies/{study_uid}/series/{series_uid}/instances/{uid}"
            try:
                if not spool.index.sop_classes_of(uid):
                    _fetch(reader, path, uid, peer, spool)
            except (NotAcceptable, Retryable, Permanent) as error:
                failed, in_a_row, comment = failed + 1, in_a_row + 1, str(error)
                if isinstance(error, OutOfResources) or in_a_row >= MOST_FAILURES_IN_A_ROW:
                    raise _as_failure(error) from error
            else:
                arrived, in_a_row = arrived + 1, 0
                progress(arrived, len(sop_instance_uids))
    finally:
        reader.close()
    return Retrieval(arrived, failed, comment)


def _as_failure(error: NotAcceptable | Retryable | Permanent) -> Retryable | Permanent:
    return Retryable(error.comment) if isinstance(error, NotAcceptable) else error


def _fetch(reader: WebReader, path: str, uid: str, peer: WebDestination, spool: Spool) -> None:
    response = reader.get(path, ACCEPT)
    try:
        _keep(_pieces(response), uid, peer, spool)
        response.read()
    except (OSError, http.client.HTTPException) as error:
        raise Retryable(f"{peer.name} ended its answer early") from error
    finally:
        # What is left of a damaged answer must not be taken for the next one.
        if not response.isclosed():
            reader.close()


def _pieces(response: http.client.HTTPResponse) -> Iterator[bytes]:
    """Yield the one DICOM file of an answer, multipart or alone."""
    boundary = boundary_of(response.headers.get("Content-Type", ""))
    if boundary is None:
        while piece := response.read(HEAD_BYTES):
            yield piece
        return
    for number, part in enumerate(MultipartReader(response.read, boundary).parts()):
        for piece in part:
            if number == 0:
                yield piece


def _keep(pieces: Iterator[bytes], uid: str, peer: WebDestination, spool: Spool) -> None:
    """Store one Part 10 file as it comes, without a second copy of it in memory."""
    head = b""
    for piece in pieces:
        head += piece
        if len(head) >= HEAD_BYTES:
            break
    syntax, offset = parse_meta(head)
    data_set = memoryview(head)[offset:]
    header = read_header(data_set, syntax)
    # The spool refuses an instance that is not the one asked for.
    request = StoreRequest(syntax, header.SOPClassUID, uid, peer.name[:16])
    incoming = spool.receive(request)
    try:
        incoming.write(data_set)
        for piece in pieces:
            incoming.write(memoryview(piece))
    except BaseException:
        incoming.discard()
        raise
    spool.keep(incoming)
