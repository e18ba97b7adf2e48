"""A study that is not analysed gets an answer that says so, and why."""

from __future__ import annotations

from dataclasses import replace

import pydicom
import pytest
from pydicom.uid import generate_uid

from inference.volume import Notice
from sr_writer import SoftwareIdentity, not_analysable, write_not_analysable

REASON = Notice("missing_slice", "Slice 14 of 60 is missing.")


@pytest.fixture
def refusal(make_case):
    case = make_case()
    findings = not_analysable(case.volume.source, (REASON,), SoftwareIdentity("spinenode", "0.1.0"))
    return case, findings


def texts(items):
    for item in items:
        if item.ValueType == "TEXT":
            yield str(item.TextValue)
        yield from texts(item.get("ContentSequence", []))


def test_report_picture_and_pdf_are_written_into_the_study(refusal, settings, tmp_path):
    case, findings = refusal
    out = tmp_path / "out"
    written = write_not_analysable(findings, case.folder, out, settings)
    assert [item.kind for item in written] == ["sr", "narrative", "overview", "pdf"]
    assert {p.name for p in out.iterdir()} == {
        "findings.json", "features.csv", "overview.png", "report.pdf", "report.sr.dcm",
        "narrative.sr.dcm", "overview.sc.dcm", "report.pdf.dcm",
    }  # fmt: skip
    for item in written:
        assert pydicom.dcmread(item.path).StudyInstanceUID == case.volume.source.StudyInstanceUID


def test_reason_is_in_both_reports(refusal, settings, tmp_path):
    case, findings = refusal
    chosen = replace(settings, outputs=("sr",))
    one_file = case.volume.source.frames[0].path
    for item in write_not_analysable(findings, one_file, tmp_path / "out", chosen):
        said = " ".join(texts(pydicom.dcmread(item.path).ContentSequence))
        assert "not analysed: Slice 14 of 60 is missing." in said
        assert "Research use only" in said


@pytest.mark.parametrize("source", ["none", "text file", "missing"])
def test_without_a_readable_header_there_are_files_but_no_objects(
    source, refusal, settings, tmp_path
):
    _, findings = refusal
    path = {"none": None, "text file": tmp_path / "a.txt", "missing": tmp_path / "gone"}[source]
    if source == "text file":
        path.write_text("no DICOM")
    out = tmp_path / "out"
    chosen = replace(settings, outputs=("sr", "overview"))
    assert write_not_analysable(findings, path, out, chosen) == ()
    assert {p.name for p in out.iterdir()} == {"findings.json", "features.csv", "overview.png"}


def test_refusal_and_later_analysis_do_not_share_uids(refusal, settings, tmp_path):
    from sr_writer import write_outputs

    case, findings = refusal
    chosen = replace(settings, outputs=("sr",))
    refused = write_not_analysable(findings, case.folder, tmp_path / "a", chosen)
    analysed = write_outputs(case.findings, case.volume, case.segmentation, tmp_path / "b", chosen)
    assert not {i.SOPInstanceUID for i in refused} & {i.SOPInstanceUID for i in analysed}


def test_refusals_of_two_series_that_never_became_volumes_share_no_uid(
    make_case, settings, tmp_path
):
    """The geometry gate refused both for the same reason, so only the headers tell them apart."""
    findings = not_analysable(None, (REASON,), SoftwareIdentity("spinenode", "0.1.0"))
    uids = []
    for name in ("one", "two"):
        path = tmp_path / f"{name}.dcm"
        ds = pydicom.dcmread(make_case().volume.source.frames[0].path)
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        ds.StudyInstanceUID, ds.SeriesInstanceUID = generate_uid(), generate_uid()
        ds.save_as(path)
        once, again = (
            write_not_analysable(findings, path, tmp_path / name / run, settings)
            for run in ("a", "b")
        )
        assert [o.SOPInstanceUID for o in once] == [o.SOPInstanceUID for o in again]
        uids += [pydicom.dcmread(o.path).SOPInstanceUID for o in once]
        uids += [pydicom.dcmread(o.path).SeriesInstanceUID for o in once]
    assert len(set(uids)) == len(uids)
