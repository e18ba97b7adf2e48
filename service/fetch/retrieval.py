"""One series fetched whole, or the reason why it is not: what arrived is compared with the list.

A series of which images are missing is no result: the next attempt fetches what is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from node import RECEIVED_SOP_CLASSES, Destination, Retryable, Spool
from node.query import ArchiveQuery, FoundSeries
from node.retrieve import Progress, Retrieval
from node.retrieve_get import get_series
from node.retrieve_move import move_series
from node.retrieve_wado import get_instances
from service.fetch.sources import Source

MOST_NAMED_INSTANCES = 500
"""Asked for by their UIDs in one request; a UID list of a DIMSE identifier holds 64 KiB."""


@dataclass(frozen=True)
class Wanted:
    """A series as the archive lists it.

    Attributes
    ----------
    sop_instance_uids
        The CT images that have to arrive; empty where the archive gave no whole list.
    images
        How many have to arrive; None where nobody knows.
    """

    series: FoundSeries
    sop_instance_uids: frozenset[str]
    images: int | None

    @property
    def uids(self) -> tuple[str, str]:
        """StudyInstanceUID and SeriesInstanceUID."""
        return self.series.StudyInstanceUID, self.series.SeriesInstanceUID


def listed(query: ArchiveQuery, series: FoundSeries) -> Wanted:
    """Ask for the images of a series; see `ArchiveQuery` for the errors."""
    answers = query.instances(series.StudyInstanceUID, series.SeriesInstanceUID)
    is_cut = bool(answers.shortfall) or len(answers.items) < (series.images or 0)
    if is_cut or not answers.items:
        return Wanted(series, frozenset(), series.images)
    uids = frozenset(
        instance.SOPInstanceUID
        for instance in answers.items
        if not instance.SOPClassUID or instance.SOPClassUID in RECEIVED_SOP_CLASSES
    )
    return Wanted(series, uids, len(uids))


class SpoolRetriever:
    """Fetches into a spool of our own.

    Parameters
    ----------
    receive_as
        AE title under which we listen, for archives that are asked by C-MOVE.
    """

    def __init__(self, source: Source, spool: Spool, receive_as: str) -> None:
        self._source = source
        self._spool = spool
        self._receive_as = receive_as

    def retrieve(self, wanted: Wanted, progress: Progress) -> int:
        """Fetch what the spool does not hold of a series; return how many images it has then.

        Raises
        ------
        Retryable
            The archive is away or busy, or images are missing still.
        Permanent
            The archive refuses us.
        """
        held = self._held(wanted)
        if _missing(wanted, held) == 0:
            return len(held)
        absent = wanted.sop_instance_uids - held
        result = self._fetch(wanted, tuple(sorted(absent)), progress)
        held = self._held(wanted)
        _check(wanted, held, result)
        return len(held)

    def _held(self, wanted: Wanted) -> frozenset[str]:
        received = self._spool.received_series(*wanted.uids)
        files = () if received is None else received.files
        return frozenset(file.SOPInstanceUID for file in files)

    def _fetch(self, wanted: Wanted, absent: Sequence[str], progress: Progress) -> Retrieval:
        peer, uids = self._source.peer, wanted.uids
        if not isinstance(peer, Destination):
            if not absent:
                raise Retryable(f"{peer.name} does not list the images of a series")
            return get_instances(peer, uids, absent, self._spool, progress)
        fetch: Callable[..., Retrieval] = partial(get_series, peer, uids, self._spool)
        if self._source.service == "move":
            fetch = partial(move_series, peer, uids, self._receive_as)
        return fetch(progress, only=_worth_naming(wanted, absent))


class NodeMover:
    """Lets an archive send to the running node; the archive's own counts say what arrived."""

    def __init__(self, peer: Destination, node_ae_title: str) -> None:
        self._peer = peer
        self._node_ae_title = node_ae_title

    def retrieve(self, wanted: Wanted, progress: Progress) -> int:
        """See `SpoolRetriever.retrieve`."""
        result = move_series(self._peer, wanted.uids, self._node_ae_title, progress)
        missing = result.failed if wanted.images is None else wanted.images - result.completed
        if missing > 0 or not result.completed:
            raise Retryable(_shortfall(wanted, result.completed, result))
        return result.completed


def _missing(wanted: Wanted, held: frozenset[str]) -> int | None:
    """How many images are missing; None where nobody knows."""
    if wanted.sop_instance_uids:
        return len(wanted.sop_instance_uids - held)
    return None if wanted.images is None else max(0, wanted.images - len(held))


def _check(wanted: Wanted, held: frozenset[str], result: Retrieval) -> None:
    missing = _missing(wanted, held)
    if missing is None:
        missing = result.failed
    if missing or not held:
        raise Retryable(_shortfall(wanted, len(held), result))


def _worth_naming(wanted: Wanted, absent: Sequence[str]) -> Sequence[str]:
    """The images to name in a request; none asks for the whole series."""
    some_held = len(absent) < len(wanted.sop_instance_uids)
    return absent if some_held and len(absent) <= MOST_NAMED_INSTANCES else ()


def _shortfall(wanted: Wanted, arrived: int, result: Retrieval) -> str:
    of = "" if wanted.images is None else f" of {wanted.images}"
    return f"{arrived}{of} images arrived" + (f": {result.comment}" if result.comment else "")
