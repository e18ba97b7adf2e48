"""What the pages and metrics say while an archive takes nothing."""

import sqlite3

import pytest

from node import DeliveryState
from service.delivery_watch import DeliveryWatch
from service.errors import RetryableError
from service.metrics import Metrics


def test_a_failing_archive_is_named_with_its_last_problem_until_something_arrives():
    now = [0.0]
    failures = {"pacs": ["cannot be reached", "status 0xA700"], "web": []}

    def deliver(_job_id, destination):
        if failures[destination]:
            raise RetryableError(failures[destination].pop(0))
        return "delivered"

    watch = DeliveryWatch(deliver, clock=lambda: now[0])
    for now[0] in (60.0, 660.0):
        with pytest.raises(RetryableError):
            watch.deliver("job", "pacs")
    assert watch.deliver("job", "web") == "delivered"
    assert watch.notices() == {
        "delivery to pacs": "not possible for 10 min (2 attempts); status 0xA700"
    }
    watch.deliver("job", "pacs")
    assert watch.notices() == {}


def test_metrics_name_problems_and_waiting_objects(tmp_path):
    metrics = Metrics(lambda: {"queued": 2}, tmp_path)
    metrics.watch_deliveries(lambda: {("pacs", DeliveryState.QUEUED): 3})
    metrics.watch_problems(lambda: {"disk": "full"})
    text = metrics.exposition().decode()
    assert 'spinenode_jobs{state="queued"} 2.0' in text
    assert 'spinenode_delivery_objects{destination="pacs",state="queued"} 3.0' in text
    assert 'spinenode_problem{component="disk"} 1.0' in text
    assert "spinenode_spool_free_bytes " in text


def test_a_database_that_is_away_costs_its_own_metrics_only(tmp_path):
    def away():
        raise sqlite3.OperationalError("unable to open database file")

    metrics = Metrics(away, tmp_path)
    text = metrics.exposition().decode()
    assert "spinenode_jobs{" not in text
    assert "spinenode_up 1.0" in text
