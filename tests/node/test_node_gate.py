"""Who is let in, and in which order."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from waiting import wait_for

from node.gate import Gate

KEY = "series"


class Visitor:
    """A thread that enters a gate and stays until it is told to leave."""

    def __init__(self, entrance, name, log):
        self.is_in, self._leave = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._visit, args=(entrance, name, log))
        self._thread.start()

    def _visit(self, entrance, name, log):
        with entrance(KEY):
            log.append(name)
            self.is_in.set()
            self._leave.wait(60)

    def leave(self):
        self._leave.set()
        self._thread.join(60)
        assert not self._thread.is_alive()


@pytest.fixture
def gate():
    return Gate()


def waiting(gate):
    return len(gate._lines[KEY].waiting)


def test_several_share_and_one_is_alone(gate):
    log = []
    first, second = (Visitor(gate.shared, name, log) for name in "ab")
    assert first.is_in.wait(60)
    assert second.is_in.wait(60)
    third = Visitor(gate.alone, "c", log)
    wait_for(lambda: waiting(gate) == 1)
    first.leave()
    assert not third.is_in.is_set()
    second.leave()
    assert third.is_in.wait(60)
    third.leave()
    assert gate._lines == {}, "nothing is remembered of keys that nobody uses"


def test_nobody_overtakes_whoever_waits(gate):
    """A sharer between two that want to be alone, and one that would share with who is in."""
    log = []
    visitors = [Visitor(gate.alone, "a", log)]
    assert visitors[0].is_in.wait(60)
    for number, (name, entrance) in enumerate(
        [("b", gate.shared), ("c", gate.alone), ("d", gate.shared)], start=1
    ):
        visitors.append(Visitor(entrance, name, log))
        wait_for(lambda number=number: waiting(gate) == number)
    for visitor in visitors:
        assert visitor.is_in.wait(60)
        visitor.leave()
    assert log == ["a", "b", "c", "d"]


def test_who_comes_again_and_again_keeps_nobody_out(gate):
    stop = threading.Event()

    def insist():
        while not stop.is_set():
            with gate.alone(KEY):
                pass

    def share():
        for _ in range(200):
            with gate.shared(KEY):
                pass

    with ThreadPoolExecutor(4) as pool:
        insisting = [pool.submit(insist) for _ in range(2)]
        sharing = [pool.submit(share) for _ in range(2)]
        try:
            for each in sharing:
                each.result(60)
        finally:
            stop.set()
        for each in insisting:
            each.result(60)


def test_an_error_inside_opens_the_gate(gate):
    with pytest.raises(ValueError, match="inside"), gate.alone(KEY):
        raise ValueError("inside")
    with gate.shared(KEY):
        assert gate._lines[KEY].sharing == 1
