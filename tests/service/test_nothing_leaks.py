"""After a full run with trouble of every kind, no identifier is where it does not belong.

The patient is distinctive in every text attribute, some of them invalid so that libraries complain
about their values; one archive quotes the patient in its refusals; one series is damaged. Log (at
its most talkative), metrics, pages, file names, audit trail and webhook are searched. The same run
shows whom the process turned to: configured peers, and nobody else.
"""

from __future__ import annotations

import ast
import http.server
import json
import re
import threading
from dataclasses import dataclass
from pathlib import Path

import pydicom
import pytest
import yaml
from knocking import knock
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag
from pydicom.uid import generate_uid
from pynetdicom import AE, StoragePresentationContexts, evt

from node import LoopbackArchive

GUARD = Path(__file__).parents[1] / "fixtures" / "connections_seen"
VALID = {
    "PatientName": "Zqfamily^Zqgiven",
    "PatientID": "ZQ-4711",
    "OtherPatientIDs": "ZQOTHER",
    "PatientBirthDate": "19440321",
    "PatientAddress": "Zqstreet 12",
    "PatientTelephoneNumbers": "0815-4712",
    "PatientComments": "Zqcomment",
    "AccessionNumber": "ZQACC0815",
    "StudyID": "ZQSTUDY",
    "StudyDescription": "Zqdescription",
    "SeriesDescription": "Zqseries",
    "ProtocolName": "Zqprotocol",
    "InstitutionName": "Zqhospital",
    "InstitutionAddress": "Zqtown",
    "StationName": "ZQSTATION",
    "ReferringPhysicianName": "Zqreferrer^X",
    "OperatorsName": "Zqoperator^X",
    "PerformingPhysicianName": "Zqperformer^X",
    "ImageComments": "Zqimagecomment",
    "DeviceSerialNumber": "ZQSERIAL",
}
INVALID = {
    (0x0010, 0x1010, "AS"): b"Zqnoage!",
    (0x0010, 0x1030, "DS"): b"Zqnoweight",
    (0x0010, 0x1020, "DS"): b"Zqnosize",
    (0x0008, 0x0030, "TM"): b"Zqnotime",
    (0x0010, 0x2160, "SH"): b"Zqmuchtoolongforthisrepresentation",
}
NEEDLE = re.compile("zq[a-z!-]*|4711|19440321|0815", re.IGNORECASE)

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("nothing_leaks")]


@pytest.fixture(scope="module")
def patient(small_phantom, tmp_path_factory) -> Path:
    """The phantom's series with identifiers in every attribute, valid and not."""
    folder = tmp_path_factory.mktemp("patient")
    for path in sorted((small_phantom / "dicom").iterdir()):
        ds = pydicom.dcmread(path)
        for keyword, value in VALID.items():
            setattr(ds, keyword, value)
        request = Dataset()
        request.RequestedProcedureID = "ZQPROC"
        ds.RequestAttributesSequence = [request]
        ds.private_block(0x0011, "ZQPRIVATE", create=True).add_new(1, "LO", "Zqprivate")
        for (group, element, vr), value in INVALID.items():
            tag = BaseTag(group << 16 | element)
            ds[tag] = RawDataElement(tag, vr, len(value), value, 0, False, True)
        ds.save_as(folder / path.name)
    return folder


@pytest.fixture(scope="module")
def damaged(patient, tmp_path_factory) -> Path:
    """Another series of the same patient with a slice missing and one cut short."""
    folder = tmp_path_factory.mktemp("damaged")
    series = generate_uid()
    for number, path in enumerate(sorted(patient.iterdir())):
        if number == 7:
            continue
        ds = pydicom.dcmread(path)
        ds.SeriesInstanceUID, ds.SOPInstanceUID = series, generate_uid()
        ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
        if number == 9:
            ds.PixelData = ds.PixelData[:1000]
        ds.save_as(folder / path.name)
    return folder


def quoting_archive() -> tuple[AE, int]:
    """An archive that refuses everything, and says whom it is about."""

    def refuse(event: evt.Event) -> Dataset:
        answer = Dataset()
        answer.Status = 0xC000
        answer.ErrorComment = f"no such patient {event.dataset.get('PatientID')} Zqfamily"
        return answer

    ae = AE(ae_title="QUOTES")
    ae.supported_contexts = StoragePresentationContexts
    for uid in ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.88.34"):
        ae.add_supported_context(uid)
    server = ae.start_server(
        ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, refuse)]
    )
    return ae, server.server_address[1]


@dataclass
class Run:
    """What a run left behind, after the service was stopped."""

    texts: dict[str, str]
    seen: list[tuple[str, object]]
    ports: set[int]
    jobs: list
    log: str


@pytest.fixture(scope="module")
def hook():
    """An HTTP server on loopback, and the bodies that were posted to it."""
    bodies: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port, bodies
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def run(make_service, patient, damaged, hook, tmp_path_factory):
    hook_port, bodies = hook
    folder = tmp_path_factory.mktemp("run")
    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.setenv("CONNECTIONS_SEEN", str(folder / "connections"))
    monkeypatch.setenv("PYTHONPATH", str(GUARD))
    quoting, quoting_port = quoting_archive()
    with LoopbackArchive(folder / "archive") as archive:
        service = make_service(folder, archive.port)
        _talkative(service, quoting_port, hook_port)
        service.start()
        assert knock(service.port, "STRANGER", called="OTHER").refusal is not None
        service.send(sorted(patient.iterdir()))
        service.send(sorted(damaged.iterdir()))
        service.wait_for(lambda: _settled(service), "both jobs and all deliveries")
        jobs = service.jobs()
        pages = service.get("/") + "".join(service.get(f"/jobs/{job.id}") for job in jobs)
        metrics = service.get("/metrics")
        service.terminate()
    quoting.shutdown()
    monkeypatch.undo()
    log = service.log.read_text(errors="replace")
    audit = "".join(path.read_text() for path in folder.glob("audit-*.xml"))
    seen = [_seen(line) for line in (folder / "connections").read_text().splitlines()]
    names = " ".join(str(path.relative_to(folder)) for path in folder.rglob("*"))
    return Run(
        {
            "log": log,
            "metrics": metrics,
            "pages": pages,
            "audit": audit,
            "file names": names,
            "webhook": "".join(bodies),
        },
        seen,
        {archive.port, quoting_port, hook_port},
        jobs,
        log,
    )


def _talkative(service, quoting_port: int, hook_port: int) -> None:
    config = yaml.safe_load(service.config.read_text())
    config["service"]["log_level"] = "debug"
    config["service"]["audit"] = {"file": str(service.folder / "audit.xml")}
    config["service"]["notifications"] = {
        "webhooks": [
            {"name": "x", "url": f"http://127.0.0.1:{hook_port}/", "secret": "0123456789abcdef"}
        ]
    }
    config["rules"]["best_of"] = "none"
    config["destinations"].append(
        {"name": "quotes", "ae_title": "QUOTES", "host": "127.0.0.1", "port": quoting_port}
    )
    service.config.write_text(yaml.safe_dump(config))


def _settled(service) -> bool:
    jobs = service.jobs()
    ended = [j for j in jobs if j.state in ("analysed", "not_analysable", "failed")]
    return len(ended) == 2 and all(
        delivery.state in ("delivered", "failed") for job in jobs for delivery in job.deliveries
    )


def _seen(line: str) -> tuple[str, object]:
    event, _, address = line.partition(" ")
    return event, ast.literal_eval(address)


def test_the_run_had_everything_in_it(run):
    assert {job.state for job in run.jobs} == {"analysed", "not_analysable"}
    states = {(d.destination, d.state) for job in run.jobs for d in job.deliveries}
    assert {
        ("pacs", "delivered"),
        ("quotes", "failed"),
        ("notify:webhook-x", "delivered"),
    } <= states
    assert '"L2"' in run.texts["webhook"]
    assert "association rejected" in run.log
    assert run.texts["audit"].count("<AuditMessage>") >= 6
    assert 'spinenode_drift_series_total{flagged="yes"} 1.0' in run.texts["metrics"]
    assert '{outcome="written",sink="file"}' in run.texts["metrics"]


@pytest.mark.parametrize("where", ["log", "metrics", "pages", "audit", "file names", "webhook"])
def test_no_identifier_is_in(run, where):
    text = re.sub(r"\b[0-9.]{20,64}\b|\b[0-9a-f]{12,64}\b", "", run.texts[where])
    found = sorted({text[max(0, m.start() - 60) : m.end() + 30] for m in NEEDLE.finditer(text)})
    assert found == []


def test_the_search_would_find_one():
    assert NEEDLE.search("no such patient ZQ-4711")
    assert all(NEEDLE.search(value) for value in VALID.values())
    assert all(NEEDLE.search(value.decode()) for value in INVALID.values())


def test_every_line_of_the_log_is_one_json_object(run):
    lines = run.log.splitlines()
    assert [line for line in lines if not line.startswith("{")] == []
    assert all(json.loads(line)["level"] for line in lines)


def test_each_stage_of_a_job_is_in_the_log_under_one_id(run):
    analysed = next(job for job in run.jobs if job.state == "analysed")
    lines = [json.loads(line) for line in run.log.splitlines()]
    mine = [line for line in lines if line.get("job") == analysed.id]
    events = [line["event"] for line in mine]
    steps = [line["step"] for line in mine if line["event"] == "step done"]
    assert set(events[:2]) == {"series received", "series queued"}
    assert steps == ["assemble", "segment", "measure", "texture", "write", "verify"]
    assert events.count("job done") == 1, "one canonical line"
    canonical = next(line for line in mine if line["event"] == "job done")
    assert set(canonical["seconds"]) >= {"load", "segment", "measure", "texture", "write"}
    assert canonical["flagged"] == ["L2"]
    done = [line["destination"] for line in mine if line["event"] == "delivery done"]
    assert sorted(done) == ["notify:webhook-x", "pacs"]


def test_the_process_turned_to_configured_peers_and_to_nobody_else(run):
    assert run.seen, "the guard saw nothing at all"
    for event, address in run.seen:
        host, port = (address if isinstance(address, tuple) else (address, None))[:2]
        if event == "socket.connect":
            assert isinstance(address, str) or (host == "127.0.0.1" and port in run.ports), address
        else:
            assert event == "socket.getaddrinfo", (event, address)
            assert host in ("127.0.0.1", "localhost", None), address
