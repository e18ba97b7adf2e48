"""From the previous commit to this one and back, with jobs in the queue: none lost, none repeated.

The two programs share the installed libraries (a release brings its own), so this shows that our
own code of both commits understands one queue, one set of ledgers and one folder of jobs.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
from collections import Counter
from pathlib import Path

import pytest
from private_postgresql import postgresql_server, postgresql_url  # noqa: F401 - fixtures
from waiting import wait_for

from rig.aftermath import ENDED, all_delivered, assess
from rig.archive import RememberingArchive
from rig.senders import Sender
from rig.service_process import Installation, ServiceProcess
from rig.small_series import copy_series, spine, too_short

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]
REPOSITORY = Path(__file__).parents[2]
PREVIOUS = os.environ.get("SPINENODE_UPGRADE_FROM", "HEAD~1")
FULL, DONE = 0xA700, 0x0000


@pytest.fixture(scope="module")
def previous(tmp_path_factory) -> Path:
    """The checkout of the commit before this one."""
    git = ("git", "-C", str(REPOSITORY))
    found = subprocess.run(
        [*git, "rev-parse", "--verify", PREVIOUS], capture_output=True, check=False
    )
    if found.returncode:
        pytest.skip("no git history: the previous commit cannot be had")
    archive = subprocess.run(
        [*git, "archive", PREVIOUS, "node", "inference", "texture", "sr_writer", "service"],
        capture_output=True,
        check=True,
    )
    folder = tmp_path_factory.mktemp("previous")
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tar:
        tar.extractall(folder, filter="data")
    return folder


@pytest.fixture(scope="module")
def series(tmp_path_factory) -> list[list[Path]]:
    folder = tmp_path_factory.mktemp("series")
    base = spine(folder / "base")
    spines = [copy_series(base, folder / f"spine{n}", f"upgrade{n}") for n in range(9)]
    others = [too_short(folder / f"other{n}", f"upgrade-other{n}") for n in range(3)]
    return [series for three in zip(*[iter(spines)] * 3, strict=True) for series in three] + others


class Host:
    """One installation that is run by one program after the other."""

    def __init__(self, installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
        self.installation = installation
        self._monkeypatch = monkeypatch
        self.running: ServiceProcess | None = None

    def run(self, checkout: Path) -> None:
        """Stop what runs, as systemd would, and start the program of this checkout."""
        self.stop()
        self._monkeypatch.setenv("PYTHONPATH", str(checkout))
        assert self._code() == checkout / "service", "another program would run"
        self.running = self.installation.process("serve")
        self.running.start()

    def stop(self) -> None:
        if self.running is not None:
            assert self.running.terminate() == 0, self.running.log.read_text()[-4000:]
        self.running = None

    def ended(self) -> int:
        return sum(job.state in ENDED for job in self.installation.jobs())

    def waiting(self) -> int:
        return sum(job.state not in ENDED for job in self.installation.jobs())

    def _code(self) -> Path:
        done = subprocess.run(
            [sys.executable, "-c", "import service; print(service.__file__)"],
            cwd=self.installation.folder,
            env=dict(os.environ),
            capture_output=True,
            text=True,
            check=True,
        )
        return Path(done.stdout.strip()).parent


def send(host: Host, series: list[list[Path]]) -> Sender:
    sender = Sender(series, host.installation.node)
    sender.start()
    sender.join(120)
    assert not sender.is_alive(), "not everything was acknowledged"
    return sender


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_upgrade_and_rollback_lose_and_repeat_nothing(
    database, previous, series, tmp_path, monkeypatch, request
):
    url = request.getfixturevalue("postgresql_url") if database == "postgresql" else ""
    first, second = series[:5], series[5:]
    with RememberingArchive() as archive:
        host = Host(Installation(tmp_path, archive.port, url), monkeypatch)
        try:
            archive.status_for = lambda _: FULL  # deliveries are under way when it is upgraded
            host.run(previous)
            senders = [send(host, first)]
            wait_for(lambda: len(host.installation.jobs()) == len(first), "all jobs")
            wait_for(lambda: host.ended() >= 1, "a job that ended before the upgrade")
            at_upgrade = (host.ended(), host.waiting())

            host.run(REPOSITORY)
            senders.append(send(host, second))
            wait_for(lambda: len(host.installation.jobs()) == len(series), "all jobs")
            wait_for(lambda: host.ended() >= len(first) + 1, "a job of the new program")
            at_rollback = (host.ended(), host.waiting())
            archive.status_for = lambda _: DONE

            host.run(previous)
            wait_for(lambda: all_delivered(host.installation, series), "every result", 600)
            aftermath = assess(host.installation, archive, senders, series)
            jobs = host.installation.jobs()
        finally:
            host.stop()
    print(
        f"\nupgrade on {database}: {at_upgrade[0]} jobs ended and {at_upgrade[1]} waiting at the"
        f" upgrade, {at_rollback[0]} and {at_rollback[1]} at the rollback\n  {aftermath}"
    )
    assert at_upgrade[1] >= 1
    assert at_rollback[1] >= 1
    assert aftermath.missing_in_spool == 0
    assert aftermath.states == {"analysed": 9, "not_analysable": 3}
    assert Counter(job.SeriesInstanceUID for job in jobs).most_common(1)[0][1] == 1
    assert aftermath.sent_again == 0
    steps = Counter((job.id, step.name) for job in jobs for step in job.steps)
    assert set(steps.values()) == {1}, "a step was recorded twice"
