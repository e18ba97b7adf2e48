"""An archive with small CTs, a configuration that names it, and the command as a user runs it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    CTImageStorage,
    ExplicitVRLittleEndian,
    SecondaryCaptureImageStorage,
    generate_uid,
)
from waiting import free_port

from service.cli import main


def ct_slice(study: str, series: str, number: int, **elements) -> Dataset:
    """A slice that is received like any other; without a position no volume comes of it."""
    ds = Dataset()
    ds.SOPClassUID = CTImageStorage
    ds.SOPInstanceUID = generate_uid()
    ds.StudyInstanceUID, ds.SeriesInstanceUID = study, series
    ds.Modality = "CT"
    ds.StudyDate, ds.StudyTime = "20250301", "101500"
    ds.StudyDescription, ds.SeriesDescription = "CT Spine", "Spine 1.0"
    ds.SeriesNumber, ds.InstanceNumber = 2, number
    ds.PatientName, ds.PatientID = "Secret^Person", "HIS-4711"
    ds.PatientAge, ds.PatientSex = "061Y", "F"
    ds.Rows = ds.Columns = 16
    ds.BitsAllocated = ds.BitsStored = 16
    ds.HighBit, ds.PixelRepresentation, ds.SamplesPerPixel = 15, 0, 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.add_new("PixelData", "OW", bytes([number % 256]) * 512)
    for keyword, value in elements.items():
        setattr(ds, keyword, value)
    ds.file_meta = FileMetaDataset()
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return ds


@pytest.fixture(scope="session")
def make_slice():
    return ct_slice


@dataclass
class Holdings:
    """Fills an archive."""

    archive: object

    def add(self, images: int = 10, study: str = "", **elements) -> tuple[str, str]:
        """Add a series; return StudyInstanceUID and SeriesInstanceUID."""
        study, series = study or generate_uid(), generate_uid()
        self.archive.add(ct_slice(study, series, n, **elements) for n in range(images))
        return study, series

    def add_picture(self, study: str, series: str) -> None:
        """Add an object to a series that is no CT image."""
        picture = ct_slice(study, series, 999, SOPClassUID=SecondaryCaptureImageStorage)
        self.archive.add([picture])


@pytest.fixture
def holdings(query_archive) -> Holdings:
    return Holdings(query_archive)


@pytest.fixture
def make_config(tmp_path, query_archive):
    """Write a configuration with the archive as its only source; return its path."""

    def make(retrieve: str = "get", **sections) -> Path:
        content = {
            "node": {
                "host": "127.0.0.1",
                "port": free_port(),
                "spool": str(tmp_path / "spool"),
                "min_free_gib": 0.01,
            },
            "sources": [
                {
                    "name": "pacs",
                    "ae_title": "PACS",
                    "host": "127.0.0.1",
                    "port": query_archive.port,
                    "retrieve": retrieve,
                }
            ],
            **sections,
        }
        query_archive.destinations["SPINENODE"] = ("127.0.0.1", content["node"]["port"])
        path = tmp_path / "config.yaml"
        path.write_text(yaml.safe_dump(content))
        return path

    return make


@pytest.fixture
def start_fetch(tmp_path):
    """Start the command in a process of its own."""

    def start(config: Path, *options: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "service", "fetch", "--config", str(config), *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
        )

    return start


@pytest.fixture
def run_fetch(tmp_path, monkeypatch, capsys):
    """Run the command to its end in this process; return exit code, stdout and stderr."""

    def run(config: Path, *options: str) -> tuple[int, str, str]:
        monkeypatch.chdir(tmp_path)
        command = ["spinenode", "fetch", "--config", str(config), *options]
        monkeypatch.setattr(sys, "argv", command)
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code, *capsys.readouterr()

    return run
