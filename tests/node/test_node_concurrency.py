"""What threads share: commits."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from node.group_commit import GroupCommit


def test_items_waiting_for_a_commit_share_the_next_one():
    batches, first_runs, go_on = [], threading.Event(), threading.Event()

    def commit(items):
        batches.append(sorted(items))
        if len(batches) == 1:
            first_runs.set()
            go_on.wait(10)
        return [item * 10 for item in items]

    group = GroupCommit(commit)
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(group.add, 0)
        first_runs.wait(10)
        others = [pool.submit(group.add, number) for number in range(1, 8)]
        while len(group._waiting) < 7:
            pass
        go_on.set()
        assert first.result(10) == 0
        assert [each.result(10) for each in others] == [number * 10 for number in range(1, 8)]
    assert batches == [[0], list(range(1, 8))]


def test_a_failed_commit_fails_each_of_its_items_and_not_the_next():
    def commit(items):
        if "bad" in items:
            raise OSError("disk")
        return items

    group = GroupCommit(commit)
    with pytest.raises(OSError, match="disk"):
        group.add("bad")
    assert group.add("good") == "good"
