"""Thousands of damaged conversations and objects: the node answers, refuses, and stays as it was.

Every mutant is an integer: `SEED + n`. What ever failed is added to `FOUND` and runs first.
"""

from __future__ import annotations

import re
import time

import pytest

from node import echo, send_files
from rig.hostile_peers import DamagedStores, damaged_conversation
from rig.node_process import NodeProcess
from rig.small_series import too_short

SEED = 1_000_000
FOUND: tuple[int, ...] = ()
HANG_SECONDS = 2.0
"""Longer than any C-ECHO here takes on a busy machine; test_stalls.py asks for half a second."""
CHECK_EVERY = 50
GROWTH_KIB = 24 * 1024
SPOOLED = re.compile(r"series/[0-9a-f]{2}/[0-9a-f]{32}/[0-9a-f]{32}-[0-9a-f]{32}\.dcm")

COUNTS = [pytest.param(150, id="300"), pytest.param(3500, id="7000", marks=pytest.mark.slow)]
PATHS = ["streamed", pytest.param("library", marks=pytest.mark.slow)]


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("path", PATHS)
def test_the_node_survives_damaged_pdus_and_objects(count, path, tmp_path):
    with NodeProcess(tmp_path / "node", path=path) as node:
        stores = DamagedStores(node.port)
        echoes = [timed_echo(node)]
        usage = [node.usage()]
        outcomes: dict[str, int] = {}
        started = time.monotonic()
        for seed in [*FOUND, *range(SEED, SEED + count)]:
            outcome = damaged_conversation(node.port, seed)
            outcomes[outcome] = outcomes.get(outcome, 0) + 1
            stores.store(seed)
            if seed % CHECK_EVERY == 0:
                echoes.append(timed_echo(node))
                usage.append(node.usage())
            assert node.is_alive(), f"seed {seed}: {node.errors()[-3000:]}"
        stores.close()
        seconds = time.monotonic() - started
        a_sound_series_still_arrives(node, tmp_path)
        usage.append(node.usage())
        # The first tenth fills caches and arenas.
        first, last = usage[1 + len(usage) // 10], usage[-1]
        print(
            f"\n{path}: {count} damaged conversations {dict(sorted(outcomes.items()))} and {count}"
            f" damaged objects {dict(sorted(stores.statuses.items()))} in {seconds:.0f} s; slowest"
            f" C-ECHO {max(echoes):.3f} s; usage {usage[0]}, after a tenth {first}, last {last}"
        )
        assert "Traceback" not in node.errors(), node.errors()[-3000:]
        assert max(echoes) < HANG_SECONDS
        assert last["rss_kib"] - first["rss_kib"] < GROWTH_KIB
        assert last["descriptors"] <= first["descriptors"] + 4
        assert last["threads"] <= first["threads"] + 4
        nothing_lies_elsewhere(tmp_path / "node")


def timed_echo(node) -> float:
    started = time.monotonic()
    echo(node.destination)
    return time.monotonic() - started


def a_sound_series_still_arrives(node, tmp_path) -> None:
    files = too_short(tmp_path / "sound", "sound")
    results = send_files(files, node.destination)
    assert [result.outcome for result in results] == ["sent"] * len(files)


def nothing_lies_elsewhere(folder) -> None:
    """Whatever UIDs said, files lie under hashed names in the spool and nowhere else."""
    spool = folder / "spool"
    files = {str(each.relative_to(spool)) for each in spool.rglob("*") if each.is_file()}
    own = {name for name in files if name.startswith(("index.sqlite", "owner.lock"))}
    strange = {name for name in files - own if not SPOOLED.fullmatch(name)}
    assert not strange
    beside = {each.name for each in folder.iterdir()}
    assert beside <= {"spool", "stderr", "completed"}
