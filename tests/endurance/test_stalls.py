"""C-ECHO answers within half a second for as long as other peers stall, and after it.

`tests/node/test_node_stalls.py` asks what becomes of each bad peer; here a node in a process of
its own is asked again and again while many of them keep coming.
"""

from __future__ import annotations

import statistics
import time
from contextlib import ExitStack

import pytest

from node import echo, send_files
from rig.node_process import NodeProcess
from rig.small_series import too_short
from rig.stalling_peers import Staller, half_open, probes, silent, slow

ECHO_SECONDS = 0.5
PAUSE_SECONDS = 0.05
WATCHED_SECONDS = 4.0
"""Longer than the limits of the node process, so that peers are dropped meanwhile."""
pytestmark = pytest.mark.slow
STALLS = {each.__name__: each for each in (silent, half_open, probes, slow)}


def echo_throughout(destination, seconds):
    """Seconds that each C-ECHO took, association and release included."""
    taken = []
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        started = time.monotonic()
        echo(destination)
        taken.append(time.monotonic() - started)
        time.sleep(PAUSE_SECONDS)
    return taken


def report(name, taken):
    print(
        f"\n{name}: {len(taken)} C-ECHO, median {statistics.median(taken) * 1000:.0f} ms,"
        f" slowest {max(taken) * 1000:.0f} ms"
    )


@pytest.mark.parametrize("name", STALLS)
def test_echo_answers_throughout(name, tmp_path):
    with NodeProcess(tmp_path / "node") as node:
        with Staller(STALLS[name], node.port) as staller:
            taken = echo_throughout(node.destination, WATCHED_SECONDS)
        report(name, taken)
        assert staller.rounds
        assert max(taken) < ECHO_SECONDS
        files = too_short(tmp_path / "sound", "sound")
        assert {each.outcome for each in send_files(files, node.destination)} == {"sent"}


def test_echo_answers_throughout_while_peers_never_shake_hands(tmp_path, loopback_tls):
    with NodeProcess(tmp_path / "node", tls=loopback_tls) as node:
        with Staller(silent, node.port) as staller:
            taken = echo_throughout(node.destination, WATCHED_SECONDS)
        report("silent where TLS is expected", taken)
        assert staller.rounds
        assert max(taken) < ECHO_SECONDS


@pytest.mark.parametrize("path", ["streamed", "library"])
def test_echo_answers_while_everything_stalls_at_once(path, tmp_path):
    with NodeProcess(tmp_path / "node", path=path) as node:
        with ExitStack() as stack:
            for stall in STALLS.values():
                stack.enter_context(Staller(stall, node.port))
            taken = echo_throughout(node.destination, 30.0)
        usage = node.usage()
        report(f"all at once, {path} path", taken)
        assert max(taken) < ECHO_SECONDS
        assert usage["threads"] < 100
