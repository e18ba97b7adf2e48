"""A throw-away Orthanc with its DICOMweb plugin, for as long as a block runs."""

from __future__ import annotations

import http.client
import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from waiting import free_port

PROGRAM = Path("/usr/sbin/Orthanc")
PLUGINS = Path("/usr/share/orthanc/plugins")
_START_S = 60.0


def is_installed() -> bool:
    """Orthanc and its DICOMweb plugin are there."""
    return PROGRAM.exists() and (PLUGINS / "libOrthancDicomWeb.so").exists()


@contextmanager
def running(folder: Path) -> Iterator[int]:
    """Start Orthanc with its data in `folder`; yield its HTTP port.

    Version 1.10 ignores HttpBindAddresses and listens on every interface: call this inside a
    network namespace of its own (`run.sh`). It also refuses whoever is not on this machine.
    """
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    settings = folder / "orthanc.json"
    settings.write_text(json.dumps(_settings(folder / "data", port)))
    with (folder / "orthanc.log").open("w") as log:
        process = subprocess.Popen([PROGRAM, settings], stdout=log, stderr=subprocess.STDOUT)
        try:
            _wait_until_ready(port, process)
            yield port
        finally:
            process.terminate()
            process.wait(timeout=30)


def _settings(data: Path, port: int) -> dict[str, object]:
    return {
        "Name": "viewers",
        "StorageDirectory": str(data),
        "IndexDirectory": str(data),
        "HttpPort": port,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "DicomServerEnabled": False,
        "Plugins": [str(PLUGINS / "libOrthancDicomWeb.so")],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
    }


def _wait_until_ready(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_S
    while process.poll() is None and time.monotonic() < deadline:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/dicom-web/studies")
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.1)
        finally:
            connection.close()
    raise RuntimeError(f"Orthanc did not answer within {_START_S:.0f} s, see orthanc.log")
