"""Images that are lost after they were measured: nothing unverified is ever sent."""

from datetime import UTC, datetime
from shutil import copytree, rmtree

import pytest

from service.config import Config, NodeConfig
from service.layout import images_folder, jobs_folder
from service.metrics import Metrics
from service.pipeline import Analysis
from service.request import Request
from service.runner import JobRunner
from service.steps import STEPS
from service.toolbox import Toolbox
from service.workspace import Workspace

JOB = "job1"


@pytest.fixture(scope="module")
def written(small_phantom, tmp_path_factory):
    """A job whose results are written and not yet verified."""
    config = Config(node=NodeConfig(spool=tmp_path_factory.mktemp("midway") / "spool"))
    copytree(small_phantom / "dicom", images_folder(config))
    files = tuple(sorted(images_folder(config).iterdir()))
    workspace = Workspace(jobs_folder(config) / JOB)
    created = datetime.now(UTC).isoformat()
    workspace.put_request(Request(JOB, files, created, mask=small_phantom / "labels.nii.gz"))
    analysis = Analysis(workspace, Toolbox(config))
    for step in STEPS[: STEPS.index("verify")]:
        analysis.run(step)
    assert workspace.findings().status == "analysed"
    return config, files, analysis


@pytest.fixture
def lost(written, tmp_path):
    """The same job in a process that has just started, all of its images damaged."""
    config, files, analysis = written
    whole = copytree(config.node.spool, tmp_path / "whole")
    for file in files:
        file.write_bytes(b"damaged")
    yield JobRunner(Toolbox(config), Metrics(dict, tmp_path)), analysis
    rmtree(config.node.spool)
    copytree(whole, config.node.spool)


@pytest.mark.parametrize("first", ["write", "verify"])
@pytest.mark.parametrize("volume", ["read again", "in memory"])
def test_the_answer_says_so_and_the_unverified_results_are_gone(lost, first, volume):
    runner, analysis = lost
    if volume == "in memory":
        runner._open[JOB] = analysis
    for step in STEPS[STEPS.index(first) :]:
        runner.run_step(JOB, step)
    assert runner.finish(JOB) == "not_analysable"
    kept = analysis.workspace
    assert [reason.code for reason in kept.reasons()] == ["unreadable_input"]
    assert [reason.code for reason in kept.findings().reasons] == ["unreadable_input"]
    assert "seg" not in {each.kind for each in kept.written()}
    assert not list(kept.results.glob("*.seg.dcm"))
