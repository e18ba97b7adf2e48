"""Where the time of one instance goes in our node: exclusive times of its stages."""

from __future__ import annotations

import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

from benchmarks.receiving.instances import write_parts
from benchmarks.receiving.senders import Sending, storescu
from node import (
    ListenerSettings,
    NodeServer,
    ReceivedSeries,
    SeriesSettings,
    Spool,
    SpoolSettings,
    incoming,
)
from node.bounded_socket import BoundedSocket
from node.incoming import IncomingFile
from node.index import SpoolIndex
from node.scp import StorageScp
from node.streaming import StreamingDul

# What is inside another stage is taken out of it; the order is that of an instance.
STAGES: tuple[tuple[str, object, str], ...] = (
    ("waiting for the sender", BoundedSocket, "wait"),
    ("reading the socket", BoundedSocket, "_receive"),
    ("beginning an instance", StorageScp, "receive"),
    ("commands and fragments", StreamingDul, "_serve_one"),
    ("checksum", IncomingFile, "_sum"),
    ("reading the header", IncomingFile, "header"),
    ("deciding and naming", StorageScp, "keep"),
    ("known already?", SpoolIndex, "versions"),
    ("creating the file", IncomingFile, "publish"),
    ("content to the disk", incoming, "write_all"),
    ("what is left, and the name, to the disk", IncomingFile, "_flush"),
    ("index entries, in a thread of their own", SpoolIndex, "_write"),
    ("following the series", NodeServer, "_instance_stored"),
    ("answering", StreamingDul, "_answer"),
)


class Stopwatch:
    """Sums wall and CPU time per stage, each thread with a stack of its own."""

    def __init__(self) -> None:
        self.wall_s: dict[str, float] = defaultdict(float)
        self.cpu_s: dict[str, float] = defaultdict(float)
        self._own = threading.local()

    def watch(self, label: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def timed(*args: Any, **kwargs: Any) -> Any:
            self._switch(label)
            try:
                return function(*args, **kwargs)
            finally:
                self._switch("")

        return timed

    def _switch(self, label: str) -> None:
        """Charge the time since the last switch to the stage on top, then enter or leave."""
        wall, cpu = time.perf_counter(), time.thread_time()
        stack = self._own.__dict__.setdefault("stack", [])
        if stack:
            self.wall_s[stack[-1]] += wall - self._own.wall
            self.cpu_s[stack[-1]] += cpu - self._own.cpu
        if label:
            stack.append(label)
        else:
            stack.pop()
        self._own.wall, self._own.cpu = time.perf_counter(), time.thread_time()


def print_stages(store: Path, count: int, associations: list[int]) -> None:
    """Send `count` instances over each number of associations and print the stages."""
    watch = Stopwatch()
    for label, owner, name in STAGES:
        setattr(owner, name, watch.watch(label, getattr(owner, name)))
    with tempfile.TemporaryDirectory(prefix="receive-sent-", dir="/dev/shm") as sent:
        for number in associations:
            folders = write_parts(Path(sent), count, number)
            watch.wall_s.clear()
            watch.cpu_s.clear()
            with tempfile.TemporaryDirectory(prefix="receive-", dir=store) as spool:
                seconds, cpu = _received(folders, Path(spool))
            _table(watch, count, number, seconds, cpu)


def _received(folders: list[Path], root: Path) -> tuple[float, float]:
    spool = Spool(SpoolSettings(root, min_free_gib=0.0))
    listener = ListenerSettings(host="127.0.0.1", port=0)
    server = NodeServer(listener, spool, SeriesSettings(), _drop)
    server.start()
    before = time.process_time()
    seconds, _ = storescu(folders, server.port, Sending.UNDELAYED)
    cpu = time.process_time() - before
    server.stop(drain_seconds=1)
    spool.close()
    return seconds, cpu


def _drop(_series: ReceivedSeries) -> None:
    return


def _table(watch: Stopwatch, count: int, number: int, seconds: float, cpu: float) -> None:
    print(f"\n{number} association{'s' * (number > 1)}, {count} instances in {seconds:.2f} s")
    print("| stage | ms/instance | CPU ms/instance |")
    print("|---|---|---|")
    for label, _, _ in STAGES:
        wall, used = watch.wall_s[label], watch.cpu_s[label]
        print(f"| {label} | {wall / count * 1e3:.3f} | {used / count * 1e3:.3f} |")
    others = cpu - sum(watch.cpu_s.values())
    print(f"| everything else, with these timers | | {others / count * 1e3:.3f} |", flush=True)
