"""Results to the archives: each object sent once to each destination that wants it."""

from __future__ import annotations

import logging
import random
from dataclasses import dataclass

from node import (
    BackoffPolicy,
    CommitmentLedger,
    DeliveryLedger,
    DeliveryRequest,
    DeliveryResult,
    DeliveryState,
    Destination,
    NodeError,
    Outcome,
    WebDestination,
    delay_seconds,
    deliver_due,
    request_commitment,
    send,
)
from service.audit import SILENT, Recorder, Transfer
from service.config import Config, DestinationConfig
from service.destinations import node_destination
from service.errors import RetryableError, ServiceError
from service.layout import jobs_folder, ledger_file
from service.metrics import Metrics
from service.workspace import Workspace
from sr_writer import WrittenObject

log = logging.getLogger(__name__)

BACKOFF = BackoffPolicy(first_seconds=5.0, factor=2.0, longest_seconds=900.0, most_attempts=100)
"""About a day of attempts before a delivery becomes a dead letter."""

_OUTPUT_OF_KIND = {
    "seg": "seg",
    "sr": "sr",
    "narrative": "sr",
    "overview": "overview",
    "closeup": "overview",
    "pdf": "pdf",
    "key_images": "key_images",
}
_ARRIVED = (DeliveryState.SENT, DeliveryState.COMMITTED)


class DeliveryRefused(ServiceError):
    """The archive takes none of the objects as they are: somebody has to change something."""


def backoff_seconds(attempt: int) -> float | None:
    """Wait after the n-th failed attempt, or None to give up."""
    if attempt >= BACKOFF.most_attempts:
        return None
    return delay_seconds(BACKOFF, attempt, random.random())


@dataclass
class _Entering:
    """Enters each result as soon as it is known: a kill between two objects repeats none."""

    ledger: DeliveryLedger
    metrics: Metrics

    def instance_delivered(
        self, result: DeliveryResult, destination: Destination | WebDestination
    ) -> None:
        self.ledger.record(destination.name, result)
        self.metrics.deliveries.labels(destination.name, result.outcome.value).inc()


class Deliverer:
    """Sends the objects of a job, guided by the durable ledger."""

    def __init__(self, config: Config, metrics: Metrics, recorder: Recorder = SILENT) -> None:
        self._recorder = recorder
        self._config = config
        self._metrics = metrics
        self._ledger = DeliveryLedger(ledger_file(config))
        self.commitments = CommitmentLedger(ledger_file(config))

    def counts(self) -> dict[tuple[str, DeliveryState], int]:
        """Number of result objects by destination and state."""
        return self._ledger.counts()

    def close(self) -> None:
        """Release the ledger."""
        self.commitments.close()
        self._ledger.close()

    def follow(self, config: Config) -> None:
        """Deliver to the destinations of this configuration from now on."""
        self._config = config

    def destinations(self, job_id: str) -> list[str]:
        """Where the results of a job go."""
        return [
            destination.name
            for destination in self._config.destinations
            if self._objects(job_id, destination)
        ]

    def deliver(self, job_id: str, name: str) -> str:
        """Send what the destination does not have yet.

        Raises
        ------
        RetryableError
            If something may arrive at a later attempt.
        DeliveryRefused
            If the destination takes none of the objects.
        """
        destination = node_destination(self._config, name)
        objects = self._objects(job_id, self._configured(name))
        self._ledger.queue(
            DeliveryRequest(name, each.SOPInstanceUID, each.SOPClassUID, each.path)
            for each in objects
        )
        missing = [each for each in objects if not self._arrived(name, each)]
        if not missing:
            return "everything had arrived before"
        self._ledger.retry(name, [each.SOPInstanceUID for each in missing])
        request = Workspace(jobs_folder(self._config) / job_id).request()
        transfer = Transfer(self._recorder, request, destination, missing)
        try:
            results = send(
                [each.path for each in missing],
                destination,
                _Entering(self._ledger, self._metrics),
            )
        except NodeError as error:
            transfer.failed()
            self._metrics.deliveries.labels(name, "unreachable").inc()
            raise RetryableError(str(error)) from error
        transfer.ended(results)
        outcome = _judge(results, len(objects) - len(missing))
        self._ask_for_commitment(destination)
        return outcome

    def chase_commitments(self) -> None:
        """Send again what an archive would not commit, and ask again for what it has."""
        for configured in self._config.destinations:
            destination = node_destination(self._config, configured.name)
            if configured.storage_commitment:
                deliver_due(self._ledger, destination)
                self._ask_for_commitment(destination)

    def _ask_for_commitment(self, destination: Destination | WebDestination) -> None:
        """Ask the archive to confirm; its report settles the ledger whenever it comes."""
        if isinstance(destination, WebDestination) or not destination.storage_commitment:
            return
        try:
            request_commitment(self.commitments, destination)
        except NodeError as error:
            log.warning(
                "storage commitment could not be requested",
                extra={"to": destination.name, "problem": str(error)},
            )

    def _arrived(self, name: str, written: WrittenObject) -> bool:
        row = self._ledger.find(name, written.SOPInstanceUID)
        return row is not None and row.state in _ARRIVED

    def _configured(self, name: str) -> DestinationConfig:
        return next(each for each in self._config.destinations if each.name == name)

    def _objects(self, job_id: str, destination: DestinationConfig) -> list[WrittenObject]:
        written = Workspace(jobs_folder(self._config) / job_id).written()
        return [each for each in written if _OUTPUT_OF_KIND[each.kind] in destination.outputs]


def _judge(results: tuple[DeliveryResult, ...], arrived_before: int) -> str:
    failed = [result for result in results if result.outcome is Outcome.FAILED]
    refused = [result for result in results if result.outcome is Outcome.REFUSED]
    if failed:
        raise RetryableError(
            f"{len(failed)} of {len(results)} objects not stored: {_why(failed[0])}"
        )
    if refused and len(refused) == len(results) and not arrived_before:
        raise DeliveryRefused(f"all {len(refused)} objects refused: {_why(refused[0])}")
    if refused:
        log.warning(
            "objects refused by the archive; the others arrived",
            extra={"refused": [result.SOPClassUID for result in refused]},
        )
        return f"delivered; {len(refused)} refused: {_why(refused[0])}"
    return "delivered"


def _why(result: DeliveryResult) -> str:
    status = "no answer" if result.status is None else f"status 0x{result.status:04X}"
    return f"{status}, {result.comment}" if result.comment else status
