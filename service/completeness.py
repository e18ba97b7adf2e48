"""When a series counts as complete: the waiting times, and the archive that knows how many images.

An archive is asked over a connection of its own each time: questions are rare, and a connection
kept open between them costs it one of its few associations.
"""

from __future__ import annotations

from node import SeriesSettings
from node.expectation import CountSource
from node.scu import Patience
from service.audit import SILENT, AuditedQuery, Recorder, peer_of
from service.config import Config
from service.fetch.sources import count_source

# A series waits at most 15 s for the answer (node.expectation).
PATIENCE = Patience(connect_seconds=4.0, response_seconds=8.0)


def series_settings(config: Config, recorder: Recorder = SILENT) -> SeriesSettings:
    """When a series counts as complete."""
    series = config.node.series
    return SeriesSettings(
        quiet_seconds=series.quiet_seconds,
        max_wait_seconds=series.max_wait_seconds,
        announced=announced_count(config, recorder) if series.expected_count_query else None,
    )


def announced_count(config: Config, recorder: Recorder = SILENT) -> CountSource:
    """Who says how many images a series has: the archive of `expected_count_source`."""
    source = count_source(config)

    def count(study_instance_uid: str, series_instance_uid: str) -> int | None:
        query = AuditedQuery(source.query(PATIENCE), peer_of(source.peer), recorder)
        try:
            return query.count(study_instance_uid, series_instance_uid)
        finally:
            query.close()

    return count
