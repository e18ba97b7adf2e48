"""The daemon as systemd sees it: the test plays systemd on a real NOTIFY_SOCKET."""

import socket
import subprocess
import sys
from pathlib import Path

from service.daemon import watchdog_interval_seconds

PROGRAM = """
import sys
from service.daemon import run_until_signal

class Thing:
    def start(self): print("started", flush=True)
    def stop(self): print("stopped", flush=True)
    def problems(self): return {"disk": "full"} if "--ill" in sys.argv else {}

run_until_signal(Thing())
"""


def launch(tmp_path: Path, *arguments: str):
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    address = tmp_path / "notify"
    listener.bind(str(address))
    listener.settimeout(60)
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *arguments],
        env={"NOTIFY_SOCKET": str(address), "WATCHDOG_USEC": "200000", "PATH": ""},
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    return listener, process


def test_ready_watchdog_and_stopping_are_told_in_order(tmp_path):
    listener, process = launch(tmp_path)
    assert listener.recv(100) == b"READY=1"
    assert listener.recv(100) == b"WATCHDOG=1"
    process.terminate()
    message = listener.recv(100)
    while message == b"WATCHDOG=1":
        message = listener.recv(100)
    assert message == b"STOPPING=1"
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert output.split() == [b"started", b"stopped"]


def test_the_watchdog_is_not_fed_while_something_is_wrong(tmp_path):
    listener, process = launch(tmp_path, "--ill")
    assert listener.recv(100) == b"READY=1"
    assert listener.recv(200) == b"STATUS=disk: full"
    process.terminate()
    process.communicate(timeout=30)


def test_the_watchdog_is_fed_at_half_its_limit(monkeypatch):
    monkeypatch.setenv("WATCHDOG_USEC", "30000000")
    assert watchdog_interval_seconds() == 15.0
    monkeypatch.delenv("WATCHDOG_USEC")
    assert watchdog_interval_seconds() > 0
