"""The daemon as systemd sees it: the test plays systemd on a real NOTIFY_SOCKET."""

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from service.daemon import watchdog_interval_seconds

PROGRAM = """
import sys
from service.daemon import run_until_signal

class Thing:
    def start(self): print("started", flush=True)
    def stop(self): print("stopped", flush=True)
    def problems(self): return {"disk": "full"} if "--full" in sys.argv else {}
    def stalled(self): return {"listener": "accepts nothing"} if "--deaf" in sys.argv else {}
    def summary(self): return "all quiet"

def reload():
    print("reloaded", flush=True)
    return "line 3: unknown key 'peeers'" if "--misspelt" in sys.argv else ""

run_until_signal(Thing(), reload)
"""


class Manager:
    """What systemd does for a service of Type=notify."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.listener.bind(str(folder / "notify"))
        self.listener.settimeout(60)
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *arguments],
            env={"NOTIFY_SOCKET": str(folder / "notify"), "WATCHDOG_USEC": "200000", "PATH": ""},
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[2],
        )

    def hear(self) -> list[str]:
        return self.listener.recv(4096).decode().split("\n")

    def hear_until(self, wanted: str) -> list[str]:
        """Everything said up to a message that begins so."""
        heard: list[str] = []
        while not any(line.startswith(wanted) for line in heard):
            heard += self.hear()
        return heard

    def stop(self) -> list[bytes]:
        self.process.terminate()
        output, _ = self.process.communicate(timeout=30)
        return output.split()


@pytest.fixture
def manager(tmp_path):
    made = []

    def start(*arguments: str) -> Manager:
        made.append(Manager(tmp_path, *arguments))
        return made[0]

    yield start
    made[0].process.kill()
    made[0].listener.close()


def test_ready_watchdog_and_stopping_are_told_in_order(manager):
    systemd = manager()
    heard = systemd.hear_until("WATCHDOG")
    assert heard == ["STATUS=starting", "READY=1", "WATCHDOG=1"]
    assert systemd.hear_until("STATUS") == ["STATUS=all quiet"]
    assert systemd.stop() == [b"started", b"stopped"]
    assert systemd.process.returncode == 0
    assert systemd.hear_until("STOPPING")[-2:] == ["STOPPING=1", "STATUS=draining"]


def test_a_full_disk_is_told_and_does_not_get_the_service_killed(manager):
    systemd = manager("--full")
    assert systemd.hear_until("STATUS=disk: full")[-2] == "WATCHDOG=1"


def test_the_watchdog_is_not_fed_while_the_listener_does_not_answer(manager):
    systemd = manager("--deaf")
    heard = systemd.hear_until("STATUS=listener") + systemd.hear_until("STATUS=listener")
    assert "WATCHDOG=1" not in heard


def test_sighup_reloads_between_reloading_and_ready(manager):
    systemd = manager()
    systemd.hear_until("WATCHDOG")
    before = time.monotonic_ns() // 1000
    systemd.process.send_signal(signal.SIGHUP)
    heard = systemd.hear_until("RELOADING=1")
    stamp = heard[heard.index("RELOADING=1") + 1]
    assert before <= int(stamp.removeprefix("MONOTONIC_USEC=")) <= time.monotonic_ns() // 1000
    assert systemd.hear() == ["READY=1"]
    systemd.hear_until("STATUS=all quiet")
    assert systemd.stop() == [b"started", b"reloaded", b"stopped"]


def test_a_refused_configuration_stays_in_the_status(manager):
    systemd = manager("--misspelt")
    systemd.hear_until("WATCHDOG")
    systemd.process.send_signal(signal.SIGHUP)
    wanted = "STATUS=configuration: line 3: unknown key 'peeers'"
    systemd.hear_until(wanted)
    assert "WATCHDOG=1" in systemd.hear_until(wanted)


def test_the_watchdog_is_fed_at_half_its_limit(monkeypatch):
    monkeypatch.setenv("WATCHDOG_USEC", "30000000")
    assert watchdog_interval_seconds() == 15.0
    monkeypatch.delenv("WATCHDOG_USEC")
    assert watchdog_interval_seconds() > 0
