"""Peers that hold up a listener: silent, half done, gone, hasty or slow, again and again."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import Self

from rig.dicom_bytes import COMMAND, LAST, RawPeer, associate_rq, p_data, store_command

EXPLICIT_CONTEXT = 3
CONNECTIONS, PROBES, SENDERS = 20, 30, 8
LONGER_THAN_A_HANDSHAKE = 1.5
LONGER_THAN_IDLE = 3.0
SECONDS_PER_BYTE = 0.02

Stall = Callable[[int, threading.Event], None]
"""One round of one kind of nuisance against a port, until it is over or the event is set."""


def _connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=10)


def silent(port: int, stop: threading.Event) -> None:
    """Connect and say nothing: no DICOM, and no TLS where that is expected."""
    with ExitStack() as connections:
        for _ in range(CONNECTIONS):
            connections.enter_context(_connect(port))
        stop.wait(LONGER_THAN_A_HANDSHAKE)


def half_open(port: int, stop: threading.Event) -> None:
    """Stop inside the association request, and inside an object of an open association."""
    with ExitStack() as connections:
        for _ in range(CONNECTIONS):
            half = connections.enter_context(_connect(port))
            half.sendall(associate_rq()[:40])
        for number in range(SENDERS):
            peer = _inside_an_object(port, number)
            connections.callback(peer.connection.close)
        stop.wait(LONGER_THAN_IDLE)


def probes(port: int, stop: threading.Event) -> None:
    """Connect and go, as port scanners and health checks of load balancers do."""
    for _ in range(PROBES):
        _connect(port).close()
    stop.wait(0.1)


def slow(port: int, stop: threading.Event) -> None:
    """Send objects byte by byte."""
    peers = [_inside_an_object(port, number) for number in range(SENDERS)]
    while not stop.is_set() and any(peer.send(b"\0") for peer in peers):
        stop.wait(SECONDS_PER_BYTE)
    for peer in peers:
        peer.connection.close()


def _inside_an_object(port: int, number: int) -> RawPeer:
    """Open an association that has announced more of an object than it has sent."""
    peer = RawPeer(port)
    peer.send(associate_rq(b"STALLING"))
    if peer.answer():
        command = store_command(f"1.2.840.99.{number}")
        peer.send(p_data(EXPLICIT_CONTEXT, COMMAND | LAST, command))
        peer.send(p_data(EXPLICIT_CONTEXT, LAST, bytes(12_000))[:500])
    return peer


class Staller(threading.Thread):
    """Repeats one kind of nuisance while the context lasts; `rounds` counts them."""

    def __init__(self, stall: Stall, port: int) -> None:
        super().__init__(daemon=True)
        self._stall = stall
        self._port = port
        self._stop_asked = threading.Event()
        self.rounds = 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop_asked.set()
        self.join(30)

    def run(self) -> None:
        while not self._stop_asked.is_set():
            self._stall(self._port, self._stop_asked)
            self.rounds += 1
