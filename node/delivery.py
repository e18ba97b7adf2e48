"""Send what the ledger has due for one destination, and enter every result."""

from __future__ import annotations

from dataclasses import dataclass

from node.errors import Permanent, Retryable
from node.ledger import DeliveryLedger
from node.scu import DeliveryResult, send_files
from node.settings import Destination


@dataclass
class _LedgerEntry:
    """Enters each result as soon as it is known: a kill between two instances repeats none."""

    ledger: DeliveryLedger

    def instance_delivered(self, result: DeliveryResult, destination: Destination) -> None:
        self.ledger.record(destination.name, result)


def deliver_due(ledger: DeliveryLedger, destination: Destination) -> tuple[DeliveryResult, ...]:
    """Send everything due; an unreachable destination costs each of them one attempt.

    Returns
    -------
    The results of this round, empty if nothing was due or nobody answered.
    """
    due = ledger.due(destination.name)
    if not due:
        return ()
    try:
        results = send_files([each.path for each in due], destination, _LedgerEntry(ledger))
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
