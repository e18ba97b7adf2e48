"""A full disk makes jobs wait; anything else that goes wrong goes wrong as before."""

import errno
import shutil
import sqlite3
import threading
from collections import namedtuple

import pytest

from node import OutOfResources
from service.disk_gate import RESERVE_BYTES, DiskGate
from service.errors import RetryableError
from service.tenancy import NotOurs

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def free(monkeypatch):
    """Free bytes as the gate sees them, one value for each look; the last one stays."""
    values = [RESERVE_BYTES]

    def look(_folder):
        return Usage(0, 0, values.pop(0) if len(values) > 1 else values[0])

    monkeypatch.setattr(shutil, "disk_usage", look)
    monkeypatch.setattr("service.disk_gate.LOOK_SECONDS", 0.01)
    return values


def test_a_step_begins_and_ends_only_while_there_is_room(free, tmp_path):
    gate = DiskGate(tmp_path)
    free[:] = [0, 0, RESERVE_BYTES, 0, RESERVE_BYTES]
    left = []
    assert gate.patient(lambda: left.append(len(free)))() is None
    assert left == [2], "the step ran when the third look had found room"
    assert len(free) == 1, "and its end waited for the fifth"


def wrapped(cause):
    error = RetryableError("objects not stored")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EDQUOT, "Disk quota exceeded"),
        sqlite3.OperationalError("database or disk is full"),
        wrapped(OSError(errno.ENOSPC, "No space left on device")),
    ],
)
def test_a_step_that_the_full_disk_stopped_is_run_again(error, free, tmp_path):
    errors = [error, error]

    def step(text):
        if errors:
            raise errors.pop()
        return text

    assert DiskGate(tmp_path).patient(step)("done") == "done"


@pytest.mark.parametrize(
    "error", [OSError(errno.EIO, "I/O"), RetryableError("down"), KeyError("x")]
)
def test_other_errors_pass(error, free, tmp_path):
    calls = []

    def step():
        calls.append(1)
        raise error

    with pytest.raises(type(error)):
        DiskGate(tmp_path).patient(step)()
    assert calls == [1]


def test_a_stopping_service_does_not_wait_for_room(free, tmp_path):
    free[:] = [0]
    gate = DiskGate(tmp_path)
    threading.Timer(0.05, gate.stop).start()
    with pytest.raises(NotOurs):
        gate.patient(lambda: None)()
    assert "0 MiB free" in gate.problems()["disk"]


def test_the_images_spool_says_full_in_its_own_way(free, tmp_path):
    """OutOfResources is an answer to a sender, and no reason to run a step again."""
    with pytest.raises(OutOfResources):
        DiskGate(tmp_path).patient(_refuse)()


def _refuse():
    raise OutOfResources("spool is below its free space watermark")
