"""Results to the archives: each object sent once to each destination that wants it."""

from __future__ import annotations

import logging
import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from node import (
    BackoffPolicy,
    CommitmentLedger,
    DeliveryLedger,
    DeliveryResult,
    DeliveryState,
    Destination,
    NodeError,
    WebDestination,
    delay_seconds,
    deliver_due,
    request_commitment,
    send,
)
from service.audit import SILENT, Recorder, Transfer
from service.config import Config, DestinationConfig
from service.destinations import node_destination
from service.dispatch import Dispatch, Refused, comment_on
from service.errors import RetryableError, ServiceError
from service.layout import jobs_folder, ledger_location
from service.ledgered_archive import LedgeredArchive
from service.metrics import Metrics
from service.predecessor import successor_with_results
from service.queue import SUPERSEDED
from service.refusals import Refusals
from service.request import Request
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
        self._ledger = DeliveryLedger(ledger_location(config))
        self._refusals = Refusals(ledger_location(config))
        self.commitments = CommitmentLedger(ledger_location(config))

    def counts(self) -> dict[tuple[str, DeliveryState], int]:
        """Number of result objects by destination and state."""
        return self._ledger.counts()

    def state(self, name: str, sop_instance_uid: str) -> DeliveryState | None:
        """Where one object stands at a destination; None if it is not meant for it."""
        row = self._ledger.find(name, sop_instance_uid)
        return None if row is None else row.state

    def close(self) -> None:
        """Release the ledger."""
        self.commitments.close()
        self._refusals.close()
        self._ledger.close()

    def follow(self, config: Config) -> None:
        """Deliver to the destinations of this configuration from now on."""
        self._config = config

    def destinations(self, job_id: str) -> list[str]:
        """Where the results of a job go."""
        if Workspace(jobs_folder(self._config) / job_id).withheld():
            return []
        return [
            destination.name
            for destination in self._config.destinations
            if self._objects(job_id, destination)
        ]

    def reached_any(self, written: WrittenObject) -> bool:
        """Whether an archive has an object; where there are no archives, as if one had."""
        return not self._config.destinations or bool(self._ledger.holders(written.SOPInstanceUID))

    def deliver(self, job_id: str, name: str) -> str:
        """Send what the destination does not have yet.

        Raises
        ------
        RetryableError
            If something may arrive at a later attempt.
        DeliveryRefused
            If the destination takes none of the objects.
        """
        workspace = Workspace(jobs_folder(self._config) / job_id)
        archive = self._archive(name, workspace)
        wanted = self._objects(job_id, self._configured(name))
        arrived_before = any(map(archive.has, workspace.written()))
        if not arrived_before and successor_with_results(jobs_folder(self._config), job_id):
            return SUPERSEDED
        if all(map(archive.has, wanted)):
            return "everything had arrived before"
        refused = Dispatch(workspace.folder, workspace.written(), archive).run(wanted)
        self._note_refused(workspace, name, refused)
        if refused and not any(map(archive.has, workspace.written())):
            raise DeliveryRefused(f"all {len(refused)} objects refused: {refused[0].why}")
        self._ask_for_commitment(archive.destination)
        return f"delivered; {comment_on(refused)}" if refused else "delivered"

    def _archive(self, name: str, workspace: Workspace) -> LedgeredArchive:
        return LedgeredArchive(
            node_destination(self._config, name),
            self._ledger,
            self._refusals,
            self._configured(name).refusals_remembered_hours * 3600,
            partial(self._send, workspace.request()),
        )

    def _send(
        self,
        request: Request,
        destination: Destination | WebDestination,
        objects: Sequence[WrittenObject],
    ) -> tuple[DeliveryResult, ...]:
        transfer = Transfer(self._recorder, request, destination, objects)
        try:
            results = send(
                [each.path for each in objects],
                destination,
                _Entering(self._ledger, self._metrics),
            )
        except NodeError as error:
            transfer.failed()
            self._metrics.deliveries.labels(destination.name, "unreachable").inc()
            raise RetryableError(str(error)) from error
        transfer.ended(results)
        return results

    def _note_refused(self, workspace: Workspace, name: str, refused: tuple[Refused, ...]) -> None:
        if not refused:
            if workspace.delivery_note(name):
                workspace.put_delivery_note(name, "")  # an earlier attempt was refused
            return
        for each in refused:
            instead = each.instead or "nothing"
            self._metrics.fallbacks.labels(name, each.written.kind, instead).inc()
        workspace.put_delivery_note(name, comment_on(refused))
        log.warning(
            "objects refused by the archive",
            extra={"to": name, "refused": comment_on(refused)},
        )

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

    def _configured(self, name: str) -> DestinationConfig:
        return next(each for each in self._config.destinations if each.name == name)

    def _objects(self, job_id: str, destination: DestinationConfig) -> list[WrittenObject]:
        written = Workspace(jobs_folder(self._config) / job_id).written()
        return [each for each in written if _OUTPUT_OF_KIND[each.kind] in destination.outputs]
