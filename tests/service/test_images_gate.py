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
    """What the step raises, or what happens and is raised then; at last it succeeds."""
    left = []

    def run(analysis, _step):
        assert analysis.request.files
        if left:
            error = left.pop(0)
            raise error() if callable(error) else error

    monkeypatch.setattr(Analysis, "run", run)
    return left


@pytest.fixture
def runner(config, workspace, tmp_path, monkeypatch):
    monkeypatch.setattr("service.images_gate.LOOK_SECONDS", 0.01)
    monkeypatch.setattr("service.images_gate.PAUSES_SECONDS", (0.01, 0.01))
    return JobRunner(Toolbox(config), Metrics(dict, tmp_path))


def step(runner):
    runner.images.patient(runner.run_step)("job1", "assemble")


def run_beside(runner, log):
    """Run the step in a thread until it waits for the folder."""
    thread = threading.Thread(target=step, args=(runner,))
    thread.start()
    while "steps wait for it" not in log.text:
        assert thread.is_alive()
    assert "not there" in runner.images.problems()["images"]
    return thread


@pytest.mark.parametrize("error", [unreachable(), DAMAGED, OSError(errno.ENOENT, "gone")])
def test_a_step_waits_for_a_folder_that_goes_away_and_is_run_again(
    error, runner, errors, workspace, config, caplog
):
    """Whatever the missing folder looked like to the step, it is no answer about the series."""
    folder = images_folder(config)
    away = folder.with_name("elsewhere")

    def goes_away():
        folder.rename(away)
        return error

    errors.append(goes_away)
    thread = run_beside(runner, caplog)
    away.rename(folder)
    thread.join(20)
    assert not thread.is_alive()
    assert errors == []
    assert workspace.reasons() == ()
    assert runner.images.problems() == {}


def test_no_step_begins_while_the_share_with_the_jobs_is_away_too(
    runner, errors, workspace, config, caplog
):
    """Jobs would fail one after the other, their requests being out of reach."""
    spool = config.node.spool
    away = spool.rename(spool.with_name("elsewhere"))
    spool.mkdir()
    thread = run_beside(runner, caplog)
    assert list(spool.iterdir()) == []
    spool.rmdir()
    away.rename(spool)
    thread.join(20)
    assert not thread.is_alive()
    assert workspace.reasons() == ()


def test_a_file_that_cannot_even_be_asked_for_is_not_taken_for_deleted(
    runner, errors, images, workspace
):
    """A stale handle of a share answers with an error of its own, as this ring of links does."""
    (images / "b").unlink()
    (images / "b").symlink_to(images / "b")
    errors.append(unreachable(errno.ESTALE))
    step(runner)
    assert errors == []
    assert workspace.reasons() == ()


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
