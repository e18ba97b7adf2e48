"""The PDF: three pages, the same numbers, the same bytes."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace

import pydicom
import pytest

from sr_writer import write_outputs

pdftotext = pytest.mark.skipif(shutil.which("pdftotext") is None, reason="poppler-utils absent")


def pages_of(path):
    run = subprocess.run(
        ["pdftotext", "-layout", str(path), "-"], capture_output=True, check=True, text=True
    )
    return run.stdout.split("\f")[:-1]


@pdftotext
def test_pages_are_findings_texture_and_method(full_result):
    findings, texture, method = pages_of(full_result.out / "report.pdf")
    assert "Suspected vertebral fracture: L1 wedge" in findings
    assert "Bone density and texture" in texture
    assert "Method and limits" in method
    for page in (findings, texture, method):
        assert "Research use only. Not for diagnosis." in page


@pdftotext
def test_numbers_are_those_of_the_findings(full_result):
    findings, texture, _ = pages_of(full_result.out / "report.pdf")
    for vertebra in full_result.case.findings.vertebrae:
        row = next(x for x in texture.splitlines() if x.split()[:1] == [vertebra.label])
        assert f"{vertebra.features['variance']:#.6g}" in row
        assert f"{vertebra.bmd_mg_cm3:.1f}" in row
        assert f"{vertebra.height_loss_percent:.1f}" in findings


@pdftotext
def test_patient_and_study_are_named(full_result):
    first = pages_of(full_result.out / "report.pdf")[0]
    assert "Tester Anna" in first
    assert "1950-01-02" in first


@pdftotext
@pytest.mark.parametrize(
    ("charset", "name", "printed"),
    [
        ("ISO_IR 126", "Διονυσίου^Ελένη", "Διονυσίου Ελένη"),
        ("ISO_IR 13", "ﾔﾏﾀﾞ^ﾀﾛｳ", "(name as in the study)"),
        ("ISO_IR 127", "قباني^لنزار", "(name as in the study)"),
        ("ISO_IR 100", "Tester^Anna\\Other^Name", "Tester Anna"),
    ],
)
def test_a_name_is_printed_once_and_readable_or_left_to_the_identifiers(
    charset, name, printed, make_case, settings, tmp_path
):
    def rename(ds):
        ds.SpecificCharacterSet, ds.PatientName = charset, name

    case = make_case(shape=(12, 40, 36), change=rename)
    chosen = replace(settings, outputs=("pdf",))
    write_outputs(case.findings, case.volume, case.segmentation, tmp_path, chosen)
    first = pages_of(tmp_path / "report.pdf")[0]
    assert f"Patient {printed}" in first
    assert "P-1" in first


def test_encapsulated_document_is_the_file(full_result):
    ds = pydicom.dcmread(full_result.out / "report.pdf.dcm")
    content = ds.EncapsulatedDocument[: ds.EncapsulatedDocumentLength]
    assert content == (full_result.out / "report.pdf").read_bytes()
    assert ds.MIMETypeOfEncapsulatedDocument == "application/pdf"
    assert ds.BurnedInAnnotation == "YES"
