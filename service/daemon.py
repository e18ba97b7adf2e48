"""The life of a daemon: start, tell systemd, wait for a signal, stop in time.

Signals: SIGTERM and SIGINT stop, SIGHUP reads the configuration again. systemd is told READY,
STATUS, WATCHDOG, RELOADING and STOPPING (sd_notify(3)).
"""

from __future__ import annotations

import logging
import os
import queue
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from typing import Protocol

log = logging.getLogger(__name__)

Reload = Callable[[], str]
"""Reads the configuration again; returns why it was refused, or an empty text."""


class Runnable(Protocol):
    """Something that starts, stops and knows how it is."""

    def start(self) -> None:
        """Start, and return when ready."""
        ...

    def stop(self) -> None:
        """Stop, and return when stopped."""
        ...

    def problems(self) -> dict[str, str]:
        """What is wrong now, by component; empty when all is well."""
        ...

    def stalled(self) -> dict[str, str]:
        """What does not answer and only a restart can mend, by component."""
        ...

    def summary(self) -> str:
        """What it is doing, in one line."""
        ...


def run_until_signal(runnable: Runnable, reload: Reload) -> None:
    """Start, report READY, feed the watchdog while everything answers, stop when told to."""
    signals: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda number, _: signals.put(number))
    notify("STATUS=starting")
    runnable.start()
    notify("READY=1")
    log.info("ready")
    refused = ""
    while True:
        _report(runnable, refused)
        try:
            received = signals.get(timeout=watchdog_interval_seconds())
        except queue.Empty:
            continue
        if received != signal.SIGHUP:
            break
        refused = _reload(reload)
    notify("STOPPING=1\nSTATUS=draining")
    log.info("stopping")
    runnable.stop()
    log.info("stopped")


def _report(runnable: Runnable, refused: str) -> None:
    """Status to systemd, and a sign of life if there is one.

    A full disk or an archive that is down is a problem, but killing the service would not help; so
    only what does not answer any more keeps the watchdog hungry.
    """
    stalled = runnable.stalled()
    if not stalled:
        notify("WATCHDOG=1")
    problems = {**runnable.problems(), **stalled}
    if refused:
        problems["configuration"] = refused
    if problems:
        log.error("not well", extra={"problems": problems})
    lines = [f"{name}: {text}" for name, text in problems.items()] or [runnable.summary()]
    notify("STATUS=" + " ".join("; ".join(lines).split()))


def _reload(reload: Reload) -> str:
    notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}\nSTATUS=reloading")
    refused = reload()
    notify("READY=1")
    return refused


def watchdog_interval_seconds() -> float:
    """Half of what systemd allows between two pings, or 10 s without a watchdog."""
    microseconds = os.environ.get("WATCHDOG_USEC", "")
    return int(microseconds) / 2e6 if microseconds.isdigit() else 10.0


def notify(message: str) -> None:
    """Tell systemd (sd_notify protocol); nothing happens where it does not listen."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as connection:
            connection.connect(address)
            connection.sendall(message.encode())
    except OSError as error:
        log.warning("systemd cannot be told", extra={"problem": str(error)})


def end_process() -> None:
    """Exit although threads still wait for the next attempt of a delivery.

    The interpreter would wait for them, up to a quarter of an hour; what they wait for stands in
    the database and is taken up at the next start.
    """
    main = threading.main_thread()
    if any(not thread.daemon for thread in threading.enumerate() if thread is not main):
        logging.shutdown()
        sys.stdout.flush()
        os._exit(0)
