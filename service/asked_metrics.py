"""Metrics that are asked for at each scrape instead of being counted."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterator, Mapping

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError

from node import NodeError

log = logging.getLogger(__name__)

Values = Mapping[tuple[str, ...], float]
"""One value for each combination of the labels."""


class AskedGauge(Collector):
    """A gauge whose values are read at a scrape; absent from it while they cannot be read.

    Parameters
    ----------
    ask
        Returns the values.
    """

    def __init__(
        self, name: str, meaning: str, labels: tuple[str, ...], ask: Callable[[], Values]
    ) -> None:
        self._name = name
        self._meaning = meaning
        self._labels = labels
        self._ask = ask

    def describe(self) -> list[GaugeMetricFamily]:
        """Nothing in advance: the values are only known at a scrape."""
        return []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Ask."""
        gauge = GaugeMetricFamily(self._name, self._meaning, labels=self._labels)
        try:
            values = self._ask()
        except (SQLAlchemyError, sqlite3.Error, NodeError, OSError) as error:
            # The other metrics of the scrape say what is wrong, `spinenode_problem` first of all.
            log.warning(
                "metric cannot be read",
                extra={"metric": self._name, "problem": type(error).__name__},
            )
            return
        for labels, value in values.items():
            gauge.add_metric(labels, value)
        yield gauge
