"""Talking to systemd, where it runs."""

from __future__ import annotations

import subprocess
from pathlib import Path

from service.errors import ServiceError

RUNNING = Path("/run/systemd/system")


def systemd_runs() -> bool:
    """Whether this host was started by systemd."""
    return RUNNING.is_dir()


def systemctl(*arguments: str) -> None:
    """Run systemctl.

    Raises
    ------
    ServiceError
        If it fails, with what it said.
    """
    done = subprocess.run(("systemctl", *arguments), capture_output=True, text=True, check=False)
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split())
        raise ServiceError(f"systemctl {' '.join(arguments)}: {said}")
