"""Images that are away make jobs wait; images that are gone or damaged are an answer."""

import errno
import threading
from datetime import UTC, datetime

import pytest

from inference import InputUnavailable, UnreadableInput
from service.config import Config, NodeConfig
from service.images_gate import ImagesUnreachable
from service.layout import images_folder, jobs_folder
from service.metrics import Metrics
from service.pipeline import Analysis
from service.request import Request
from service.runner import JobRunner
from service.tenancy import NotOurs
from service.toolbox import Toolbox
from service.workspace import Workspace

DAMAGED = UnreadableInput("file 1 of 2 is damaged or truncated")


def unreachable(number=errno.EIO):
    error = InputUnavailable("file 1 of 2: away")
    error.__cause__ = OSError(number, "away")
    return error


@pytest.fixture
def config(tmp_path):
    return Config(node=NodeConfig(spool=tmp_path / "spool"))


@pytest.fixture
def images(config):
    folder = images_folder(config) / "series"
    folder.mkdir(parents=True)
    for name in "ab":
        (folder / name).write_bytes(b"")
    return folder


@pytest.fixture
def workspace(config, images):
    workspace = Workspace(jobs_folder(config) / "job1")
    workspace.put_request(
        Request("job1", (images / "a", images / "b"), datetime.now(UTC).isoformat())
    )
    return workspace


@pytest.fixture
def errors(monkeypatch):
    """What the step raises, one after the other; then it succeeds."""
    left = []

    def run(_analysis, _step):
        if left:
            raise left.pop(0)

    monkeypatch.setattr(Analysis, "run", run)
    return left


@pytest.fixture
def runner(config, workspace, tmp_path, monkeypatch):
    monkeypatch.setattr("service.images_gate.LOOK_SECONDS", 0.01)
    monkeypatch.setattr("service.images_gate.PAUSES_SECONDS", (0.01, 0.01))
    return JobRunner(Toolbox(config), Metrics(dict, tmp_path))


def step(runner):
    runner.images.patient(runner.run_step)("job1", "assemble")


@pytest.mark.parametrize("error", [unreachable(), DAMAGED, OSError(errno.ENOENT, "gone")])
def test_a_step_waits_for_a_folder_that_is_away_and_is_run_again(
    error, runner, errors, images, workspace, config
):
    """Whatever the missing folder looked like to the step, it is no answer about the series."""
    errors.append(error)
    away = images_folder(config).rename(images_folder(config).with_name("elsewhere"))
    thread = threading.Thread(target=step, args=(runner,))
    thread.start()
    while not runner.images.problems():
        assert thread.is_alive()
    assert "not there" in runner.images.problems()["images"]
    away.rename(images_folder(config))
    thread.join(20)
    assert not thread.is_alive()
    assert errors == []
    assert workspace.reasons() == ()
    assert runner.images.problems() == {}


def test_a_file_that_the_disk_does_not_give_is_asked_for_again(runner, errors, workspace):
    errors[:] = [unreachable(), unreachable()]
    step(runner)
    assert errors == []
    assert workspace.reasons() == ()


def test_a_file_that_the_disk_never_gives_fails_the_job_and_says_nothing_of_the_series(
    runner, errors, workspace
):
    errors[:] = [unreachable() for _ in range(9)]
    with pytest.raises(ImagesUnreachable):
        step(runner)
    assert workspace.reasons() == ()


def test_images_that_somebody_deleted_are_an_answer(runner, errors, images, workspace):
    errors.append(unreachable(errno.ENOENT))
    (images / "b").unlink()
    step(runner)
    assert [reason.code for reason in workspace.reasons()] == ["unreadable_input"]


def test_damaged_images_are_an_answer(runner, errors, workspace):
    errors.append(DAMAGED)
    step(runner)
    assert [reason.code for reason in workspace.reasons()] == ["unreadable_input"]


def test_a_stop_ends_the_wait_without_an_outcome(runner, errors, config):
    errors.append(unreachable())
    images_folder(config).rename(images_folder(config).with_name("elsewhere"))
    runner.images.stop()
    with pytest.raises(NotOurs):
        step(runner)
