"""A series with fewer vertebrae than the site wants: said, kept, and not sent."""

from datetime import UTC, datetime

import pytest

from service.config import Config, DestinationConfig, NodeConfig
from service.delivery import Deliverer
from service.layout import jobs_folder
from service.metrics import Metrics
from service.pipeline import Analysis
from service.request import Request
from service.toolbox import Toolbox
from service.workspace import Workspace


@pytest.mark.parametrize(("min_levels", "status"), [(5, "analysed"), (6, "not_analysable")])
def test_a_series_needs_as_many_complete_vertebrae_as_the_rule_says(
    small_phantom, tmp_path, min_levels, status
):
    archive = DestinationConfig(name="pacs", ae_title="A", host="127.0.0.1", port=104)
    config = Config(node=NodeConfig(spool=tmp_path), destinations=(archive,))
    workspace = Workspace(jobs_folder(config) / "job1")
    workspace.put_request(
        Request(
            "job1",
            (small_phantom / "dicom",),
            datetime.now(UTC).isoformat(),
            mask=small_phantom / "labels.nii.gz",
            min_levels=min_levels,
        )
    )
    Analysis(workspace, Toolbox(config)).run_all()
    findings = workspace.findings()
    assert findings.status == status
    sent_to = Deliverer(config, Metrics(dict, tmp_path)).destinations("job1")
    if status == "analysed":
        assert sent_to == ["pacs"]
        return
    assert sent_to == []
    (reason,) = findings.reasons
    assert reason.code == "fewer_than_min_levels"
    assert reason.text == "5 complete vertebrae, rules.min_levels is 6" == workspace.withheld()
