"""Which series need not be fetched, because they were before."""

from __future__ import annotations

from collections.abc import Callable

from node.query import FoundSeries
from service.fetch.ledger import FetchLedger, FetchState
from service.series_register import SeriesRegister

Known = Callable[[FoundSeries], str]
"""Why a series need not be fetched; empty if it has to be."""

ENDED = (FetchState.ANALYSED, FetchState.NOT_ANALYSABLE, FetchState.LEFT_OUT)


def nothing_known(series: FoundSeries) -> str:
    """Let every series be fetched."""
    del series
    return ""


def analysed_before(ledger: FetchLedger, series: FoundSeries) -> str:
    """Why a series need not be fetched, from the ledger; empty if it has to be."""
    entry = ledger.find(series.SeriesInstanceUID)
    if entry is None or entry.state not in ENDED or entry.announced != series.images:
        return ""
    return "analysed before"


class KnownToNode:
    """Why a series need not be fetched: the ledger, or the node's own register, has it."""

    def __init__(self, ledger: FetchLedger, register: SeriesRegister) -> None:
        self._ledger = ledger
        self._register = register

    def __call__(self, series: FoundSeries) -> str:
        """See `Road.already`."""
        entry = self._ledger.find(series.SeriesInstanceUID)
        if entry is not None and entry.state is FetchState.FETCHED:
            return "fetched before" if entry.announced == series.images else ""
        known = self._register.find(series.SeriesInstanceUID)
        if known is not None and known.facts.images >= (series.images or 0):
            return "the node has it"
        return ""
