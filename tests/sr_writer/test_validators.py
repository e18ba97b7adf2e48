"""Validators that hospitals use find no error (docs/dicom-output.md lists known false ones)."""

from __future__ import annotations

import shutil
import subprocess

import pytest

KINDS = ("seg", "sr", "narrative", "overview", "closeup", "pdf", "key_images")


def needs(program):
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"{program} is not installed")


def path_of(full_result, kind):
    return next(item.path for item in full_result.written if item.kind == kind)


@needs("dciodvfy")
@pytest.mark.parametrize("kind", KINDS)
def test_dciodvfy_reports_no_error(kind, full_result):
    run = subprocess.run(
        ["dciodvfy", str(path_of(full_result, kind))], capture_output=True, text=True, check=False
    )
    lines = (run.stdout + run.stderr).splitlines()
    assert [line for line in lines if line.startswith("Error")] == []


@needs("dsrdump")
@pytest.mark.parametrize("kind", ["sr", "narrative", "key_images"])
def test_dcmtk_reads_the_document_tree(kind, full_result):
    for program in ("dsrdump", "dsr2html"):
        run = subprocess.run(
            [program, str(path_of(full_result, kind))], capture_output=True, text=True, check=False
        )
        assert run.returncode == 0
        assert "E:" not in run.stderr
