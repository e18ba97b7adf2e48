"""STOW-RS against a small web server on loopback."""

from __future__ import annotations

import json
import threading
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from node import (
    DeliveryLedger,
    DeliveryRequest,
    DeliveryState,
    Outcome,
    Permanent,
    Retryable,
    WebDestination,
    deliver_due,
    post_files,
)
from node.part10 import identify


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        (part,) = message_from_bytes(head + body).get_payload()
        self.server.received.append(
            (self.path, self.headers.get("Authorization"), part.get_payload(decode=True))
        )
        status, answer = self.server.answer
        content = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


@pytest.fixture
def web_archive():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.received, server.answer = [], (200, {"00081199": {"vr": "SQ", "Value": [{}]}})
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def web_destination(server, **options):
    url = f"http://127.0.0.1:{server.server_address[1]}/dicom-web/"
    return WebDestination("web", url, **options)


def test_files_arrive_byte_for_byte_with_authorization(web_archive, tmp_path, write_series):
    paths = write_series(tmp_path / "in", 2)
    destination = web_destination(web_archive, authorization="Bearer secret")
    results = post_files(paths, destination)
    assert [each.outcome for each in results] == [Outcome.SENT] * 2
    expected = [("/dicom-web/studies", "Bearer secret", path.read_bytes()) for path in paths]
    assert web_archive.received == expected
    assert "secret" not in repr(destination)


def failure(reason):
    return {"00081198": {"vr": "SQ", "Value": [{"00081197": {"vr": "US", "Value": [reason]}}]}}


@pytest.mark.parametrize(
    ("answer", "outcome", "status"),
    [
        ((200, []), Outcome.SENT, 0),
        ((200, {"00081198": {"vr": "SQ"}}), Outcome.SENT, 0),
        ((200, {"00081198": {"vr": "SQ", "Value": [{}]}}), Outcome.REFUSED, None),
        (
            (202, {"00081199": {"Value": [{"00081196": {"Value": [0xB000]}}]}}),
            Outcome.WARNING,
            0xB000,
        ),
        ((409, failure(0x0122)), Outcome.REFUSED, 0x0122),
        ((409, failure(0xA700)), Outcome.FAILED, 0xA700),
        ((409, failure(0)), Outcome.REFUSED, 0),
        ((202, failure(0xC000)), Outcome.REFUSED, 0xC000),
        ((409, "nonsense"), Outcome.REFUSED, None),
        ((503, {}), Outcome.FAILED, None),
        ((429, {}), Outcome.FAILED, None),
        ((401, {}), Outcome.REFUSED, None),
        ((301, {}), Outcome.REFUSED, None),
    ],
)
def test_answers_mean_what_the_standard_says(
    web_archive, tmp_path, write_series, answer, outcome, status
):
    web_archive.answer = answer
    (result,) = post_files(write_series(tmp_path / "in", 1), web_destination(web_archive))
    assert (result.outcome, result.status) == (outcome, status)


def test_nobody_there_and_no_url():
    with pytest.raises(Retryable, match="cannot be reached"):
        post_files([], WebDestination("web", "http://127.0.0.1:1/x"))
    with pytest.raises(Permanent, match="http"):
        post_files([], WebDestination("web", "ftp://127.0.0.1/x"))


def test_the_ledger_delivers_to_the_web_too(web_archive, tmp_path, write_series):
    paths = write_series(tmp_path / "in", 2)
    paths[1].write_text("not DICOM")
    header = identify(paths[0]).header
    ledger = DeliveryLedger(tmp_path / "deliveries.sqlite")
    ledger.queue(
        [
            DeliveryRequest("web", header.SOPInstanceUID, header.SOPClassUID, paths[0]),
            DeliveryRequest("web", "1.2.3", header.SOPClassUID, paths[1]),
        ]
    )
    deliver_due(ledger, web_destination(web_archive))
    assert ledger.counts() == {("web", DeliveryState.SENT): 1, ("web", DeliveryState.FAILED): 1}
    ledger.close()
