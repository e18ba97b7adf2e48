"""`spinenode fetch` against Orthanc: C-MOVE, C-GET and DICOMweb bring the same images."""

from __future__ import annotations

import http.client
import io
import json
import subprocess
import time
from pathlib import Path

import pytest
from pydicom.uid import generate_uid
from waiting import free_ports

from service.fetch.ledger import FetchLedger

PROGRAM = Path("/usr/sbin/Orthanc")
PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
if not (PROGRAM.exists() and PLUGIN.exists()):
    pytest.skip("Orthanc and its DICOMweb plugin are not installed", allow_module_level=True)

IMAGES = 12
START_SECONDS = 60.0


def post(port: int, body: bytes) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("POST", "/instances", body)
        return connection.getresponse().status
    finally:
        connection.close()


def answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/dicom-web/studies")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory, make_slice):
    """An Orthanc with three studies of one series; return its ports and the node's."""
    folder = tmp_path_factory.mktemp("orthanc")
    web, dicom, node = free_ports(3)
    settings = {
        "StorageDirectory": str(folder / "data"),
        "IndexDirectory": str(folder / "data"),
        "HttpPort": web,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "DicomAet": "ORTHANC",
        "DicomPort": dicom,
        "DicomAlwaysAllowGet": True,
        "DicomAlwaysAllowFind": True,
        "DicomAlwaysAllowMove": True,
        "DicomModalities": {"node": ["SPINENODE", "127.0.0.1", node]},
        "Plugins": [str(PLUGIN)],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
    }
    (folder / "orthanc.json").write_text(json.dumps(settings))
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [PROGRAM, folder / "orthanc.json"], stdout=log, stderr=subprocess.STDOUT
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while not answers(web):
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline, "Orthanc did not answer"
            time.sleep(0.05)
        for number in range(3):
            study, series = generate_uid(), generate_uid()
            for n in range(IMAGES):
                day = f"2025030{number + 1}"
                image = make_slice(study, series, n, AccessionNumber=f"A{number}", StudyDate=day)
                file = io.BytesIO()
                image.save_as(file, enforce_file_format=True)
                assert post(web, file.getvalue()) == 200
        yield web, dicom, node
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture
def config(orthanc, make_config):
    web, dicom, node = orthanc
    peer = {"ae_title": "ORTHANC", "host": "127.0.0.1", "port": dicom}
    sources = [
        {"name": "move", **peer},
        {"name": "get", **peer, "retrieve": "get"},
        {"name": "web", "dicomweb_url": f"http://127.0.0.1:{web}/dicom-web"},
    ]
    listener = {"host": "127.0.0.1", "port": node, "min_free_gib": 0.01}
    return make_config(sources=sources, node=listener)


@pytest.mark.parametrize("source", ["move", "get", "web"])
def test_a_day_and_an_accession_number_bring_whole_series(config, run_fetch, tmp_path, source):
    asked = ("--from=2025-03-02", "--to=2025-03-03", "--accession=A0")
    code, out, err = run_fetch(config, *asked, f"--source={source}", "--out=results", "--json")
    report = json.loads(out)
    assert (code, err) == (3, ""), "slices without a position are no volume"
    assert [each["images"] for each in report["series"]] == [IMAGES] * 3
    assert report["counts"] == {"not_analysable": 3}
    code, out, _ = run_fetch(config, *asked, f"--source={source}", "--out=results", "--json")
    assert [each["skipped"] for each in json.loads(out)["series"]] == [True] * 3
    ledger = FetchLedger(tmp_path / "results" / "work" / "fetch" / "ledger.sqlite")
    assert len(ledger.studies()) == 3
    ledger.close()
