"""24 hours in 10 minutes: 500 small series, every pause and every age divided by 144.

The analyses are real and take their real time; retention deletes throughout, so that what the
service holds has to level out: memory, descriptors, threads, databases and files.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from waiting import wait_for

from rig.archive import RememberingArchive
from rig.node_process import process_usage
from rig.senders import Sender
from rig.service_process import Installation
from rig.small_series import copy_series, spine, too_short

SPEED = 144
HOUR = 3600 / SPEED
SPINES, OTHERS = 20, 480
MOST_WAITING = 8
SAMPLE_SECONDS = 5.0
DAY_SECONDS = 86_400.0
MIB = 2**20

pytestmark = [pytest.mark.slow, pytest.mark.timeout(2400)]


@dataclass(frozen=True)
class Sample:
    """One look at the service from outside."""

    rss_mib: float
    descriptors: float
    threads: float
    database_mib: float
    files: float

    def __str__(self) -> str:
        return (
            f"{self.rss_mib:.0f} MiB resident, {self.descriptors:.0f} descriptors,"
            f" {self.threads:.0f} threads, {self.database_mib:.1f} MiB of databases,"
            f" {self.files:.0f} files"
        )


def look(pid: int, spool: Path) -> Sample:
    usage = process_usage(pid)
    # Unlike glob, walk bears folders that are deleted meanwhile.
    files = [Path(folder) / name for folder, _, names in os.walk(spool) for name in names]
    return Sample(
        rss_mib=usage["rss_kib"] / 1024,
        descriptors=usage["descriptors"],
        threads=usage["threads"],
        database_mib=sum(_size(path) for path in files if ".sqlite" in path.name) / MIB,
        files=len(files),
    )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # deleted meanwhile
        return 0


def kept(installation: Installation) -> list[Path]:
    """Folders of jobs, and images."""
    images = (installation.spool / "images" / "series").glob("*/*")
    return [*installation.jobs_folder.iterdir(), *images]


def typical(samples: list[Sample]) -> Sample:
    """Median of each figure."""

    def median(figure: Callable[[Sample], float]) -> float:
        return statistics.median(map(figure, samples))

    return Sample(
        median(lambda each: each.rss_mib),
        median(lambda each: each.descriptors),
        median(lambda each: each.threads),
        median(lambda each: each.database_mib),
        median(lambda each: each.files),
    )


def test_a_day_leaves_nothing_behind(tmp_path):
    base = spine(tmp_path / "base")
    every = (SPINES + OTHERS) // SPINES
    series = [
        copy_series(base, tmp_path / f"in/{n}", f"spine{n}")
        if n % every == 0
        else too_short(tmp_path / f"in/{n}", f"other{n}")
        for n in range(SPINES + OTHERS)
    ]
    overrides = {
        "node": {"series": {"quiet_seconds": 0.1}},
        "service": {
            "retention": {
                "images_days": 1 * HOUR / DAY_SECONDS,
                "results_days": 2 * HOUR / DAY_SECONDS,
            }
        },
    }
    with RememberingArchive() as archive:
        installation = Installation(tmp_path, archive.port, overrides=overrides)
        installation.program = ("rig.hurried_service", str(SPEED))
        with installation.process("serve") as service:
            sender = Sender(series, installation.node)
            started = time.monotonic()
            samples = []
            for number, each in enumerate(series):
                wait_for(lambda n=number: n - len(archive.studies) < MOST_WAITING, "results")
                sender.send(each)
                if time.monotonic() - started > SAMPLE_SECONDS * len(samples):
                    samples.append(look(service.process.pid, installation.spool))
            wait_for(lambda: len(archive.studies) == len(series), "the last results")
            seconds = time.monotonic() - started
            wait_for(lambda: not kept(installation), "retention of the last job", 10 * HOUR)
            assert installation.jobs() == []
            assert installation.reasons() == {}
    third = len(samples) // 3
    middle, last = typical(samples[third : 2 * third]), typical(samples[2 * third :])
    print(
        f"\n{len(series)} series ({SPINES} with a spine), {sum(map(len, series))} instances,"
        f" {len(archive.stores)} results in {seconds:.0f} s\n  first  {samples[0]}\n"
        f"  middle {middle}\n  last   {last}"
    )
    assert {len(digests) for digests in archive.stores.values()} == {1}
    assert last.rss_mib < middle.rss_mib + 40
    assert last.descriptors <= middle.descriptors + 3
    assert last.threads <= middle.threads + 3
    assert last.database_mib < 1.2 * middle.database_mib + 1
    # Files go with the pace, which other work on the machine changes; that none stay is seen above.
