"""Everything is written, readable, and the same when written again."""

from __future__ import annotations

import csv
import hashlib
import json
from dataclasses import replace

import nibabel
import numpy as np
import pydicom
import pytest

from inference.report import SpineReport
from inference.volume import CTVolume, SourceSeries
from sr_writer import SoftwareIdentity, WriterSettings, assemble, write_outputs
from sr_writer.findings import Findings
from sr_writer.tables import COLUMNS
from texture.report import PresetIdentity, SpineDensity, TextureReport

DICOM_FILES = {
    "vertebrae.seg.dcm", "report.sr.dcm", "narrative.sr.dcm", "overview.sc.dcm",
    "report.pdf.dcm", "key-images.ko.dcm", "closeup-L1.sc.dcm",
}  # fmt: skip
OTHER_FILES = {
    "findings.json", "features.csv", "segmentation.nii.gz", "bodies.nii.gz", "overview.png",
    "closeup-L1.png", "report.pdf",
}  # fmt: skip


def test_writes_every_file_of_the_contract(full_result):
    assert {p.name for p in full_result.out.iterdir()} == DICOM_FILES | OTHER_FILES
    assert {item.path.name for item in full_result.written} == DICOM_FILES
    for item in full_result.written:
        ds = pydicom.dcmread(item.path)
        assert (ds.SOPClassUID, ds.SOPInstanceUID, ds.SeriesInstanceUID) == (
            item.SOPClassUID, item.SOPInstanceUID, item.SeriesInstanceUID,
        )  # fmt: skip
        assert ds.StudyInstanceUID == full_result.case.volume.source.StudyInstanceUID
        assert ds.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"


def test_same_input_and_timestamp_give_the_same_bytes(full_result, settings, tmp_path):
    case = full_result.case
    write_outputs(case.findings, case.volume, case.segmentation, tmp_path, settings)

    def digests(folder):
        return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.iterdir()
                if p.suffix != ".gz"}  # fmt: skip

    assert digests(tmp_path) == digests(full_result.out)


def test_uids_change_with_model_configuration_and_input_only(make_case, settings, tmp_path):
    case = make_case()

    def uids(findings, chosen):
        out = tmp_path / "out"
        written = write_outputs(findings, case.volume, case.segmentation, out, chosen)
        return {item.kind: item.SOPInstanceUID for item in written}

    few = replace(settings, outputs=("sr", "key_images"))
    reference = uids(case.findings, few)
    later = replace(few, created=few.created.replace(year=2027))
    other_model = replace(case.findings, model=replace(case.findings.model, sha256="cd" * 32))
    assert uids(case.findings, later) == reference
    for changed in (
        uids(other_model, few),
        uids(case.findings, replace(few, configuration="preset: ibsi")),
        uids(replace(case.findings, source=replace(case.findings.source, digest="x")), few),
    ):
        assert not set(changed.values()) & set(reference.values())


def test_own_root_starts_every_uid(make_case, settings, tmp_path):
    case = make_case()
    rooted = replace(settings, uid_root="1.2.3.4", outputs=("seg", "sr", "key_images"))
    for item in write_outputs(case.findings, case.volume, case.segmentation, tmp_path, rooted):
        assert item.SOPInstanceUID.startswith("1.2.3.4.")
        assert len(item.SOPInstanceUID) <= 64


def test_only_configured_outputs_are_written(make_case, settings, tmp_path):
    case = make_case()
    chosen = replace(settings, outputs=("overview",))
    out = tmp_path / "out"
    write_outputs(case.findings, case.volume, case.segmentation, out, chosen)
    assert {p.name for p in out.iterdir()} == {
        "findings.json", "features.csv", "segmentation.nii.gz", "bodies.nii.gz", "overview.png",
        "overview.sc.dcm", "closeup-L1.png", "closeup-L1.sc.dcm",
    }  # fmt: skip


def test_no_key_images_without_a_flagged_level(make_case, settings, tmp_path):
    case = make_case(fractured=())
    chosen = replace(settings, outputs=("key_images",))
    assert write_outputs(case.findings, case.volume, case.segmentation, tmp_path, chosen) == ()


def reassembled(case, volume):
    report = SpineReport(case.segmentation, ())
    preset = PresetIdentity("goller2023", 1.0, 1000, 64)
    texture = TextureReport(preset, (), SpineDensity(None, (), None, "generic"))
    return assemble(volume, report, texture, SoftwareIdentity("spinenode", "0.1.0"))


@pytest.mark.parametrize("missing", ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"])
def test_images_that_cannot_be_named_get_no_dicom_objects_and_this_is_said(
    missing, make_case, settings, tmp_path
):
    """Stripped copies on somebody's disk; the node takes no image without its UIDs."""
    case = make_case(shape=(12, 40, 36))
    source = case.volume.source
    if missing == "SOPInstanceUID":
        source = replace(
            source, frames=tuple(replace(f, SOPInstanceUID="1") for f in source.frames)
        )
    else:
        source = replace(source, **{missing: None})
    volume = replace(case.volume, source=source)
    findings = reassembled(case, volume)
    assert "no_identity" in {notice.code for notice in findings.warnings}
    assert write_outputs(findings, volume, case.segmentation, tmp_path / "out", settings) == ()
    assert (tmp_path / "out" / "report.pdf").is_file()
    assert (tmp_path / "out" / "findings.json").is_file()


def test_nifti_input_gets_no_dicom_objects_and_says_so(make_case, settings, tmp_path):
    case = make_case()
    volume = CTVolume(case.volume.hu, case.volume.affine_lps, SourceSeries())
    findings = reassembled(case, volume)
    out = tmp_path / "out"
    assert write_outputs(findings, volume, case.segmentation, out, settings) == ()
    assert {p.name for p in out.iterdir()} == OTHER_FILES - {"closeup-L1.png"}
    document = json.loads((out / "findings.json").read_text())
    assert "no_dicom_source" in {warning["code"] for warning in document["warnings"]}
    assert document["outputs"] == {}


def test_findings_file_reloads_and_names_the_outputs(full_result):
    document = json.loads((full_result.out / "findings.json").read_text())
    assert Findings.from_json(document).to_json() == document
    assert {kind: o["sop_instance_uid"] for kind, o in document["outputs"].items()} == {
        "closeup-L1" if item.kind == "closeup" else item.kind: item.SOPInstanceUID
        for item in full_result.written
    }


def test_table_agrees_with_the_document(full_result):
    entries = json.loads((full_result.out / "findings.json").read_text())["vertebrae"]
    with (full_result.out / "features.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    for row, entry in zip(rows, entries, strict=True):
        assert row["label"] == entry["label"]
        assert float(row["height_loss"]) == entry["height_loss"]
        assert float(row["height_middle_mm"]) == entry["heights_mm"]["middle"]
        assert float(row["bmd_mg_cm3"]) == entry["bmd_mg_cm3"]
        assert {k: float(row[k]) for k in entry["features"]} == entry["features"]


def test_masks_keep_their_place_in_patient_coordinates(full_result):
    """The NIfTI masks are RAS on disk; their centroid is the same patient point."""
    case = full_result.case
    image = nibabel.load(full_result.out / "segmentation.nii.gz")
    voxels = np.argwhere(np.asarray(image.dataobj) == 20)
    ras = image.affine[:3, :3] @ voxels.mean(0) + image.affine[:3, 3]
    expected = case.volume.to_lps_mm(np.argwhere(case.segmentation.labels == 20).mean(0))
    np.testing.assert_allclose(ras * (-1, -1, 1), expected, atol=1e-3)


def test_settings_reject_unknown_outputs():
    from sr_writer import SettingsInvalid

    with pytest.raises(SettingsInvalid, match="gsps"):
        WriterSettings(outputs=("seg", "gsps"))
    with pytest.raises(SettingsInvalid, match="uid_root"):
        WriterSettings(uid_root="1.02.3")
