"""A receiver as a process: started, measured from outside, stopped with all it started."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

TICK_SECONDS = 1 / os.sysconf("SC_CLK_TCK")
LISTEN = "0A"
READY_SECONDS = 60


@dataclass(frozen=True)
class Usage:
    """CPU in seconds of a process with threads and children so far, and its peak memory."""

    cpu_seconds: float
    peak_rss_mib: float


class MeasuredProcess:
    """Runs `command` in a session of its own until `stop`."""

    def __init__(self, command: list[str], folder: Path, port: int) -> None:
        with (folder / "output.log").open("wb") as log:
            self._process = subprocess.Popen(
                command, cwd=Path.cwd(), stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + READY_SECONDS
        while not _listening(port):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"{command[0]} does not listen; see {folder / 'output.log'}")
            time.sleep(0.05)

    def usage(self) -> Usage:
        family = _family(self._process.pid)
        # Children that ended are in the figures of the parent that waited for them.
        seconds = sum(_cpu_seconds(pid, with_ended=pid == family[0]) for pid in family)
        return Usage(seconds, sum(_status_mib(pid, "VmHWM") for pid in family))

    def resident_mib(self) -> float:
        return sum(_status_mib(pid, "VmRSS") for pid in _family(self._process.pid))

    def stop(self) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGTERM)
            try:
                self._process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()


def _listening(port: int) -> bool:
    wanted = f":{port:04X}"
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[1].endswith(wanted) and fields[3] == LISTEN:
                return True
    return False


def _family(pid: int) -> list[int]:
    family = [pid]
    for each in family:
        for task in Path(f"/proc/{each}/task").glob("*/children"):
            family += [int(child) for child in task.read_text().split()]
    return family


def _cpu_seconds(pid: int, *, with_ended: bool) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    ticks = [int(field) for field in fields[11:15]]
    return sum(ticks if with_ended else ticks[:2]) * TICK_SECONDS


def _status_mib(pid: int, key: str) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1]) / 1024
    return 0.0
