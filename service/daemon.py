"""The life of a daemon: start, tell systemd, wait for a signal, stop in time."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from typing import Protocol

log = logging.getLogger(__name__)


class Runnable(Protocol):
    """Something that starts, stops and knows whether it is well."""

    def start(self) -> None:
        """Start, and return when ready."""
        ...

    def stop(self) -> None:
        """Stop, and return when stopped."""
        ...

    def problems(self) -> dict[str, str]:
        """What is wrong now, by component; empty when all is well."""
        ...


def run_until_signal(runnable: Runnable) -> None:
    """Start, report READY, keep the watchdog fed while all is well, stop on SIGTERM or SIGINT."""
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    runnable.start()
    notify("READY=1")
    log.info("ready")
    while not stopping.wait(watchdog_interval_seconds()):
        problems = runnable.problems()
        if problems:
            log.error("not well", extra={"problems": problems})
            notify("STATUS=" + "; ".join(f"{k}: {v}" for k, v in problems.items()))
        else:
            notify("WATCHDOG=1")
    notify("STOPPING=1")
    log.info("stopping")
    runnable.stop()
    log.info("stopped")


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
