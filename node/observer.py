"""What the node tells whoever watches it: the service plugs metrics, logs and audit in here."""

from __future__ import annotations

from typing import Protocol

from node.late_entries import Addition
from node.received import ReceivedSeries, StoredInstance


class NodeObserver(Protocol):
    """Called from the node's own threads: be quick, be thread-safe and do not raise."""

    def association_opened(self, calling_ae_title: str, host: str) -> None:
        """An association was accepted."""

    def association_rejected(self, calling_ae_title: str, host: str, reason: str) -> None:
        """A connection or association was refused; `reason` is a stable snake_case code."""

    def association_closed(self, calling_ae_title: str, host: str) -> None:
        """An accepted association ended."""

    def instance_stored(self, instance: StoredInstance, addition: Addition) -> None:
        """An instance is durable (new, known or changed)."""

    def instance_refused(self, status: int, comment: str) -> None:
        """A C-STORE was answered with a failure status."""

    def series_complete(self, series: ReceivedSeries) -> None:
        """A completed series was handed over to its consumer."""


class SilentObserver:
    """Watches nothing; the base for observers that care for a few events only."""

    def association_opened(self, calling_ae_title: str, host: str) -> None:
        """See `NodeObserver`."""

    def association_rejected(self, calling_ae_title: str, host: str, reason: str) -> None:
        """See `NodeObserver`."""

    def association_closed(self, calling_ae_title: str, host: str) -> None:
        """See `NodeObserver`."""

    def instance_stored(self, instance: StoredInstance, addition: Addition) -> None:
        """See `NodeObserver`."""

    def instance_refused(self, status: int, comment: str) -> None:
        """See `NodeObserver`."""

    def series_complete(self, series: ReceivedSeries) -> None:
        """See `NodeObserver`."""
