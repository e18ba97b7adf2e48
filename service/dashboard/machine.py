"""The machine that the service runs on: disk, memory, load, computing device."""

from __future__ import annotations

import os
import platform
import shutil
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch

_MEMORY = Path("/proc/meminfo")
_PROCESSOR = Path("/proc/cpuinfo")


@dataclass(frozen=True)
class Amount:
    """How much of something is used, in bytes."""

    used: int
    total: int

    @property
    def free(self) -> int:
        """What is left."""
        return self.total - self.used


@dataclass(frozen=True)
class Machine:
    """One look at the machine.

    Attributes
    ----------
    load
        Average number of runnable processes over the last minute.
    device
        Name of the GPU, or of the processor.
    device_memory
        Of the GPU; None on the processor.
    """

    host: str
    system: str
    cores: int
    load: float
    memory: Amount | None
    disk: Amount
    device: str
    device_kind: str
    device_memory: Amount | None


def machine(folder: Path, device: str) -> Machine:
    """Look at the machine.

    Parameters
    ----------
    folder
        Whose file system is reported.
    device
        ``auto``, ``cpu`` or ``cuda``, as configured.
    """
    disk = shutil.disk_usage(folder)
    on_gpu = device != "cpu" and torch.cuda.is_available()
    return Machine(
        host=platform.node(),
        system=f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        cores=len(os.sched_getaffinity(0)),
        load=os.getloadavg()[0],
        memory=_memory(),
        # What a normal user may still write, as node.min_free_gib counts it.
        disk=Amount(disk.total - disk.free, disk.total),
        device=torch.cuda.get_device_name() if on_gpu else _processor(),
        device_kind="GPU (CUDA)" if on_gpu else "processor",
        device_memory=_gpu_memory() if on_gpu else None,
    )


def _gpu_memory() -> Amount:
    free, total = torch.cuda.mem_get_info()
    return Amount(total - free, total)


def _memory() -> Amount | None:
    try:
        lines = dict(line.split(":", 1) for line in _MEMORY.read_text().splitlines())
        total, available = (
            1024 * int(lines[name].split()[0]) for name in ("MemTotal", "MemAvailable")
        )
    except (OSError, ValueError, KeyError):
        return None
    return Amount(total - available, total)


@cache
def _processor() -> str:
    try:
        lines = _PROCESSOR.read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
