"""Which earlier result a new one names, and which is not sent any more."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from service.predecessor import find_predecessor, successor_with_results
from service.request import Request
from service.workspace import Workspace
from sr_writer import WrittenObject

CLASSES = {"sr": "1.2.840.10008.5.1.4.1.1.88.34", "narrative": "1.2.840.10008.5.1.4.1.1.88.22"}


def job(folder: Path, name: str, kinds=("narrative", "sr"), files=("a", "b"), supersedes=()):
    """A job with written results; its request."""
    workspace = Workspace(folder / name)
    request = Request(name, tuple(map(Path, files)), "2026-01-01", supersedes=tuple(supersedes))
    workspace.put_request(request)
    written = [
        WrittenObject(kind, Path(f"{kind}.dcm"), CLASSES[kind], f"1.{name}.{kind}", f"1.{name}")
        for kind in kinds
    ]
    workspace.put_written(tuple(written))
    return request


@pytest.mark.parametrize(
    ("before", "now", "reason"),
    [
        ("a", "ab", "1 more image arrived"),
        ("a", "abc", "2 more images arrived"),
        ("ab", "ab", "analysed again with another model or configuration"),
        ("ab", "ac", "images arrived again with other content"),
    ],
)
def test_the_reason_for_a_new_result_is_read_from_the_images(tmp_path, before, now, reason):
    job(tmp_path, "5", files=before)
    later = job(tmp_path, "6", files=now, supersedes=["5"])
    predecessor = find_predecessor(tmp_path, later, lambda _: True)
    assert predecessor.SOPInstanceUID == "1.5.sr"
    assert predecessor.SOPClassUID == CLASSES["sr"]
    assert predecessor.reason == reason


def test_the_latest_that_an_archive_has_is_named_and_of_a_refusal_its_text(tmp_path):
    job(tmp_path, "5")
    job(tmp_path, "6", kinds=("narrative",))
    job(tmp_path, "7")
    Workspace(tmp_path / "8")
    later = job(tmp_path, "9", supersedes=["8", "absent", "7", "6", "5"])
    predecessor = find_predecessor(
        tmp_path, later, lambda o: not o.SOPInstanceUID.startswith("1.7")
    )
    assert predecessor.SOPInstanceUID == "1.6.narrative"
    assert find_predecessor(tmp_path, later, lambda _: False) is None


@pytest.mark.parametrize(
    ("later", "successor"),
    [("analysed", "6"), ("not_analysable", ""), ("withheld", ""), ("unfinished", "")],
)
def test_only_a_measured_successor_holds_back_what_was_not_sent(
    tmp_path, monkeypatch, later, successor
):
    job(tmp_path, "5")
    job(tmp_path, "6", supersedes=["5"])
    Workspace(tmp_path / "5").put_superseded("6")
    workspace = Workspace(tmp_path / "6")
    if later != "unfinished":
        workspace.results.mkdir()
        (workspace.results / "findings.json").write_text(json.dumps({}))
    if later == "withheld":
        workspace.put_withheld("2 levels")
    status = "not_analysable" if later == "not_analysable" else "analysed"
    monkeypatch.setattr(Workspace, "findings", lambda _: SimpleNamespace(status=status))
    assert successor_with_results(tmp_path, "5") == successor
    assert successor_with_results(tmp_path, "6") == ""
