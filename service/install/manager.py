"""Talking to systemd, where it runs."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from service.errors import ServiceError

RUNNING = Path("/run/systemd/system")
PATTERNS = ("spinenode.service", "spinenode-worker@*.service")


def systemd_runs() -> bool:
    """Whether this host was started by systemd."""
    return RUNNING.is_dir()


def systemctl(*arguments: str) -> str:
    """Run systemctl and return what it printed.

    Raises
    ------
    ServiceError
        If it fails, with what it said.
    """
    done = subprocess.run(("systemctl", *arguments), capture_output=True, text=True, check=False)
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split())
        raise ServiceError(f"systemctl {' '.join(arguments)}: {said}")
    return done.stdout


def running_units() -> tuple[str, ...]:
    """Units of this program that run, or are about to."""
    listed = systemctl(
        "list-units", "--plain", "--no-legend", "--state=active,activating,reloading", *PATTERNS
    )
    return tuple(line.split()[0] for line in listed.splitlines() if line.strip())


@contextmanager
def stopped() -> Iterator[tuple[str, ...]]:
    """Drain and stop what runs; start it again afterwards, whatever happened in between."""
    units = running_units()
    if units:
        systemctl("stop", *units)
    try:
        yield units
    finally:
        systemctl("daemon-reload")
        if units:
            systemctl("start", *units)
