"""Prometheus metrics in a registry of their own; labels are states and step names, never people."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from node import DeliveryState
from service.asked_metrics import AskedGauge, Values
from service.monitoring.drift import Drift

_STEP_BUCKETS = (0.1, 0.3, 1, 3, 10, 30, 60, 120, 300, 900, 3600)


class Metrics:
    """Everything the service counts.

    Parameters
    ----------
    job_counts
        Returns the number of jobs by state, asked at each scrape.
    spool
        Folder whose free disk is reported.
    """

    def __init__(self, job_counts: Callable[[], Mapping[str, int]], spool: Path) -> None:
        self.registry = CollectorRegistry()
        self.received = Counter(
            "spinenode_received_instances_total",
            "Instances received, by what became of them",
            ["outcome"],
            registry=self.registry,
        )
        self.received_bytes = Counter(
            "spinenode_received_bytes_total", "Bytes of instances received", registry=self.registry
        )
        self.associations = Counter(
            "spinenode_associations_total",
            "Associations, by outcome",
            ["outcome"],
            registry=self.registry,
        )
        self.series = Counter(
            "spinenode_series_complete_total", "Series found complete", registry=self.registry
        )
        self.series_left_out = Counter(
            "spinenode_series_left_out_total",
            "Series that are not analysed, by the rule that left them out",
            ["rule"],
            registry=self.registry,
        )
        self.step_seconds = Histogram(
            "spinenode_step_seconds",
            "Duration of the steps of a job",
            ["step"],
            buckets=_STEP_BUCKETS,
            registry=self.registry,
        )
        self.jobs_ended = Counter(
            "spinenode_jobs_ended_total",
            "Jobs ended, by outcome",
            ["outcome"],
            registry=self.registry,
        )
        self.deliveries = Counter(
            "spinenode_deliveries_total",
            "Delivered result objects, by destination and outcome",
            ["destination", "outcome"],
            registry=self.registry,
        )
        self.fallbacks = Counter(
            "spinenode_fallbacks_total",
            "Result objects that a destination refuses, by what became of them there",
            ["destination", "refused", "instead"],
            registry=self.registry,
        )
        self.vertebrae = Counter(
            "spinenode_vertebrae_total",
            "Vertebrae reported, by Genant grade",
            ["grade"],
            registry=self.registry,
        )
        self.audit = Counter(
            "spinenode_audit_messages_total",
            "Audit messages, by where they go and what became of them",
            ["sink", "outcome"],
            registry=self.registry,
        )
        self.notifications = Counter(
            "spinenode_notifications_total",
            "Notifications, by channel and outcome",
            ["channel", "outcome"],
            registry=self.registry,
        )
        self.drift = Drift(self.registry)
        self.up = Gauge("spinenode_up", "1 while the service runs", registry=self.registry)
        self.up.set(1)
        self.ask(
            "spinenode_jobs",
            "Jobs by state",
            ("state",),
            lambda: {(state,): count for state, count in job_counts().items()},
        )
        self.ask(
            "spinenode_spool_free_bytes",
            "Free bytes where the spool lies",
            (),
            lambda: {(): shutil.disk_usage(spool).free},
        )

    def watch_deliveries(
        self, counts: Callable[[], Mapping[tuple[str, DeliveryState], int]]
    ) -> None:
        """Show how many result objects stand in which state at which destination."""
        self.ask(
            "spinenode_delivery_objects",
            "Result objects by destination and state of their delivery",
            ("destination", "state"),
            lambda: {(name, state.value): n for (name, state), n in counts().items()},
        )

    def watch_problems(self, problems: Callable[[], Mapping[str, str]]) -> None:
        """Show what is wrong now, by component."""
        self.ask(
            "spinenode_problem",
            "1 for each component that somebody should look at",
            ("component",),
            lambda: {(component,): 1.0 for component in problems()},
        )

    def ask(
        self, name: str, meaning: str, labels: tuple[str, ...], ask: Callable[[], Values]
    ) -> None:
        """Show values that are read at each scrape."""
        self.registry.register(AskedGauge(name, meaning, labels, ask))

    def audited(self, sink: str, outcome: str) -> None:
        """Count an audit message."""
        self.audit.labels(sink, outcome).inc()

    def notified(self, channel: str, outcome: str) -> None:
        """Count a notification."""
        self.notifications.labels(channel, outcome).inc()

    def exposition(self) -> bytes:
        """Text format of a scrape."""
        return generate_latest(self.registry)
