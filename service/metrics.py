"""Prometheus metrics in a registry of their own; labels are states and step names, never people."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

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
        self.up = Gauge("spinenode_up", "1 while the service runs", registry=self.registry)
        self.up.set(1)
        self.registry.register(_StateCollector(job_counts, spool))

    def exposition(self) -> bytes:
        """Text format of a scrape."""
        return generate_latest(self.registry)


class _StateCollector(Collector):
    """Values read at scrape time."""

    def __init__(self, job_counts: Callable[[], Mapping[str, int]], spool: Path) -> None:
        self._job_counts = job_counts
        self._spool = spool

    def describe(self) -> list[GaugeMetricFamily]:
        """Nothing in advance: the values are only known at a scrape."""
        return []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Read jobs by state and the free disk."""
        jobs = GaugeMetricFamily("spinenode_jobs", "Jobs by state", labels=["state"])
        for state, count in self._job_counts().items():
            jobs.add_metric([state], count)
        yield jobs
        free = GaugeMetricFamily("spinenode_spool_free_bytes", "Free bytes where the spool lies")
        free.add_metric([], shutil.disk_usage(self._spool).free)
        yield free
