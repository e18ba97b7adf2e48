"""The library's thread cannot take an answer that a sender waits for."""

from __future__ import annotations

import queue
import threading

import pytest

from node.waiting_room import WaitingRoom

PATIENCE = 10.0


class Reactor(threading.Thread):
    """Passes the room, then takes a message, as pynetdicom's association thread does."""

    def __init__(self, room: threading.Event) -> None:
        super().__init__(daemon=True)
        self.room, self.messages = room, queue.Queue()
        self.between, self.go_on = threading.Event(), threading.Event()
        self.taken, self.stopped = [], False

    def run(self) -> None:
        while not self.stopped:
            self.room.wait()
            self.between.set()
            self.go_on.wait(PATIENCE)
            try:
                self.taken.append(self.messages.get(block=False))
            except queue.Empty:
                continue


@pytest.fixture
def reactor():
    reactor = Reactor(threading.Event())
    reactor.room = WaitingRoom(lambda: not reactor.is_alive())
    reactor.start()
    yield reactor
    reactor.stopped = True
    reactor.go_on.set()
    reactor.room.set()
    reactor.join(PATIENCE)


def test_the_way_is_closed_only_once_the_thread_stands_still(reactor):
    """The thread is past the room but has not looked for a message yet."""
    assert reactor.between.wait(PATIENCE)
    closed = threading.Event()
    closing = threading.Thread(target=lambda: (reactor.room.clear(), closed.set()), daemon=True)
    closing.start()
    assert not closed.wait(0.2)
    reactor.go_on.set()
    assert closed.wait(PATIENCE)
    reactor.messages.put("answer")
    assert reactor.messages.get(timeout=PATIENCE) == "answer"
    assert reactor.taken == []


def test_the_thread_goes_on_when_the_way_is_open_again(reactor):
    reactor.go_on.set()
    reactor.room.clear()
    reactor.between.clear()
    reactor.messages.put("later")
    reactor.room.set()
    assert reactor.between.wait(PATIENCE)


def test_nobody_waits_for_a_thread_that_has_ended():
    WaitingRoom(lambda: True).clear()
