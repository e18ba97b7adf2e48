"""Send what the ledger has due for one destination, and enter every result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from node.errors import Permanent, Retryable
from node.ledger import DeliveryLedger
from node.scu import DeliveryObserver, DeliveryResult, send_files
from node.settings import Destination, WebDestination
from node.stow import post_files


@dataclass
class _LedgerEntry:
    """Enters each result as soon as it is known: a kill between two instances repeats none."""

    ledger: DeliveryLedger

    def instance_delivered(
        self, result: DeliveryResult, destination: Destination | WebDestination
    ) -> None:
        self.ledger.record(destination.name, result)


def send(
    paths: Sequence[Path],
    destination: Destination | WebDestination,
    observer: DeliveryObserver | None = None,
) -> tuple[DeliveryResult, ...]:
    """Send files in the way of the destination: see `send_files` and `post_files`."""
    if isinstance(destination, WebDestination):
        return post_files(paths, destination, observer)
    return send_files(paths, destination, observer)


def deliver_due(
    ledger: DeliveryLedger, destination: Destination | WebDestination
) -> tuple[DeliveryResult, ...]:
    """Send everything due; an unreachable destination costs each of them one attempt.

    Returns
    -------
    The results of this round, empty if nothing was due or nobody answered.
    """
    due = ledger.due(destination.name)
    if not due:
        return ()
    try:
        results = send([each.path for each in due], destination, _LedgerEntry(ledger))
    except (Retryable, Permanent) as error:
        ledger.record_unreachable(destination.name, str(error))
        return ()
    # A file that could not be identified has no UID of its own to be entered under.
    for each, result in zip(due, results, strict=True):
        if not result.SOPInstanceUID:
            ledger.record(
                destination.name,
                DeliveryResult(
                    each.path,
                    each.SOPInstanceUID,
                    each.SOPClassUID,
                    None,
                    result.outcome,
                    result.comment,
                ),
            )
    return results
