"""Every object through a DICOMweb archive: stored, found and fetched again, unchanged.

STOW-RS with the node's own client, QIDO-RS for the attributes a worklist shows, WADO-RS for the
objects. As a program, ``python archive_round_trip.py FOLDER``, it stores every DICOM file below
FOLDER in an Orthanc of its own and says what differs.
"""

from __future__ import annotations

import http.client
import io
import json
import sys
from email import message_from_bytes
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orthanc
import pydicom
from pydicom.dataset import Dataset

from node import Outcome, WebDestination, post_files

_QIDO_KEYWORDS = ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID")


def store(paths: list[Path], port: int) -> list[str]:
    """Store all files; return what was not accepted."""
    destination = WebDestination("archive", f"http://127.0.0.1:{port}/dicom-web")
    results = post_files(paths, destination)
    return [
        f"{each.path.name} was not stored: {each.comment}"
        for each in results
        if each.outcome is not Outcome.SENT
    ]


def differences(paths: list[Path], port: int) -> list[str]:
    """Return how what the archive gives back differs from the stored files."""
    found = {}
    for study in {str(_uids(path).StudyInstanceUID) for path in paths}:
        for instance in _find(port, f"studies/{study}/instances"):
            found[instance["00080018"]["Value"][0]] = instance
    faults = [f"{len(found)} instances found, {len(paths)} stored"] * (len(found) != len(paths))
    for path in paths:
        faults += [f"{path.name}: {text}" for text in _compare(path, found, port)]
    return faults


def _compare(path: Path, found: dict[str, Any], port: int) -> list[str]:
    ds = pydicom.dcmread(path)
    answer = found.get(str(ds.SOPInstanceUID))
    if answer is None:
        return ["not found by QIDO-RS"]
    faults = []
    for keyword in _QIDO_KEYWORDS:
        tag = f"{pydicom.datadict.tag_for_keyword(keyword):08X}"
        if answer.get(tag, {}).get("Value") != [str(ds[keyword].value)]:
            faults.append(f"QIDO-RS gives another {keyword}")
    fetched = _fetch(ds, port)
    if fetched != ds:
        faults.append("WADO-RS gives another data set")
    # an element of the same value may still have been encoded anew
    if "PixelData" in ds and fetched.get("PixelData") != ds.PixelData:
        faults.append("WADO-RS gives other pixels")
    return faults


def _fetch(ds: Dataset, port: int) -> Dataset:
    path = (
        f"studies/{ds.StudyInstanceUID}/series/{ds.SeriesInstanceUID}/instances/{ds.SOPInstanceUID}"
    )
    accepted = 'multipart/related; type="application/dicom"; transfer-syntax=*'
    kind, body = _get(port, path, accepted)
    message = message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + body)
    (part,) = message.get_payload()
    return pydicom.dcmread(io.BytesIO(part.get_payload(decode=True)))


def _find(port: int, path: str) -> list[dict[str, Any]]:
    return list(json.loads(_get(port, path, "application/dicom+json")[1]))


def _get(port: int, path: str, accepted: str) -> tuple[str, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", f"/dicom-web/{path}", headers={"Accept": accepted})
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"GET {path}: HTTP {answer.status}")
        return answer.getheader("Content-Type", ""), body
    finally:
        connection.close()


def _uids(path: Path) -> Dataset:
    return pydicom.dcmread(path, stop_before_pixels=True, specific_tags=["StudyInstanceUID"])


def main() -> int:
    paths = sorted(Path(sys.argv[1]).rglob("*.dcm"))
    with TemporaryDirectory() as folder, orthanc.running(Path(folder)) as port:
        faults = store(paths, port) or differences(paths, port)
    for fault in faults:
        sys.stdout.write(f"{fault}\n")
    sys.stdout.write(f"{len(paths)} objects stored, found and fetched, {len(faults)} faults\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
