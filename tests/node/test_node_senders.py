"""DCMTK as the scanner: parallel, shuffled, repeated; and a receiver killed in the middle."""

from __future__ import annotations

import os
import queue
import random
import re
import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from node import Destination, Outcome, Spool, SpoolSettings, send_files
from node.part10 import identify

REPOSITORY = Path(__file__).parents[2]


@pytest.mark.skipif(shutil.which("storescu") is None, reason="DCMTK storescu is not installed")
def test_storescu_in_three_shuffled_associations_twice_is_one_series(
    start_node, tmp_path, write_series
):
    """+sd +r, three at once, random order, the whole thing twice: stored once, handed over once."""
    paths = write_series(tmp_path / "in", 24)
    node = start_node()
    for _ in range(2):
        shuffled = random.Random(5).sample(paths, len(paths))
        folders = [tmp_path / f"part{number}" for number in range(3)]
        for number, folder in enumerate(folders):
            (folder / "deeper").mkdir(parents=True, exist_ok=True)
            # Overlapping thirds: associations also race for the same instance.
            for path in shuffled[number * 6 : number * 6 + 12]:
                shutil.copy(path, folder / "deeper" / path.name)
        senders = [_storescu(folder, node.server.port) for folder in folders]
        assert [sender.wait(timeout=60) for sender in senders] == [0, 0, 0]
    series = node.completed.get(timeout=10)
    assert len(series.files) == 24
    with pytest.raises(queue.Empty):
        node.completed.get(timeout=1)
    assert node.spool.index.counts() == (1, 24)
    sent = {identify(path).header.SOPInstanceUID: _data_set(path) for path in paths}
    assert {each.SOPInstanceUID: _data_set(each.path) for each in series.files} == sent


def _storescu(folder, port):
    command = ["storescu", "-aec", "SPINENODE", "+sd", "+r", "127.0.0.1", str(port), str(folder)]
    return subprocess.Popen(
        command, env={**os.environ, "TCP_NODELAY": "1"}, stdout=subprocess.DEVNULL
    )


def _data_set(path):
    return path.read_bytes()[identify(path).data_set_offset :]


RECEIVER = """
import sys, time
from pathlib import Path
from node import ListenerSettings, NodeServer, ReceivePath, SeriesSettings, Spool, SpoolSettings

handed = Path(sys.argv[1]) / "handed.txt"
def consume(series):
    with handed.open("a") as file:
        file.write(f"{series.instance_set_digest} {len(series.files)}\\n")

spool = Spool(SpoolSettings(Path(sys.argv[1]) / "spool", min_free_gib=0.0))
listener = ListenerSettings(host="127.0.0.1", port=0, receive_path=ReceivePath(sys.argv[2]))
server = NodeServer(listener, spool, SeriesSettings(0.3, 60), consume)
server.start()
sys.stdout.write(f"port {server.port}\\n")
sys.stdout.flush()
time.sleep(60)
"""


@pytest.fixture
def start_receiver(tmp_path, receive_path):
    processes = []

    def start():
        process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(RECEIVER), str(tmp_path), receive_path],
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        port = int(re.fullmatch(r"port (\d+)\n", process.stdout.readline())[1])
        return process, Destination("n", "SPINENODE", "127.0.0.1", port)

    yield start
    for process in processes:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.mark.parametrize("answers_before_kill", [17, pytest.param(1, marks=pytest.mark.slow)])
def test_kill_9_during_a_send_loses_no_acknowledged_instance(
    start_receiver, tmp_path, write_series, wait_until, answers_before_kill
):
    """What was answered 0x0000 is in the spool; the rest can be sent, and the series completes."""
    paths = write_series(tmp_path / "in", 40)
    process, destination = start_receiver()

    class Killer:
        answers = 0

        def instance_delivered(self, result, destination):  # noqa: ARG002 (protocol)
            self.answers += 1
            if self.answers == answers_before_kill:
                process.send_signal(signal.SIGKILL)

    results = send_files(paths, destination, Killer())
    process.wait(timeout=10)
    acknowledged = {r.SOPInstanceUID: r.path for r in results if r.outcome is Outcome.SENT}
    assert answers_before_kill <= len(acknowledged) < 40
    spool = Spool(SpoolSettings(tmp_path / "spool", min_free_gib=0.0))
    header = identify(paths[0]).header
    series = spool.received_series(header.StudyInstanceUID, header.SeriesInstanceUID)
    stored = {each.SOPInstanceUID: each.path for each in series.files}
    assert set(acknowledged) <= set(stored)
    for uid, path in acknowledged.items():
        assert _data_set(stored[uid]) == _data_set(path)
    spool.close()
    _, destination = start_receiver()
    resent = send_files([r.path for r in results if r.outcome is not Outcome.SENT], destination)
    assert {each.outcome for each in resent} == {Outcome.SENT}
    handed = tmp_path / "handed.txt"
    wait_until(lambda: handed.exists() and handed.read_text().endswith(" 40\n"))


def test_a_series_received_before_a_kill_is_handed_over_after_the_restart(
    start_receiver, tmp_path, write_series, wait_until
):
    process, destination = start_receiver()
    send_files(write_series(tmp_path / "in", 3), destination)
    process.kill()
    process.wait(timeout=10)
    assert not (tmp_path / "handed.txt").exists()
    start_receiver()
    wait_until((tmp_path / "handed.txt").exists)
    assert (tmp_path / "handed.txt").read_text().endswith(" 3\n")
