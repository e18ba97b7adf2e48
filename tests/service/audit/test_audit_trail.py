"""Messages reach a file per day and a syslog receiver, and nothing ever waits for them."""

from __future__ import annotations

import base64
import re
import socket
import ssl
import stat
import threading
import time
from contextlib import suppress
from datetime import UTC, date, datetime

import pytest
from typer.testing import CliRunner
from waiting import wait_for

from node import TlsSettings
from service.audit import make_recorder
from service.audit.codes import APPLICATION_ACTIVITY
from service.audit.daily_file import DailyFileSink
from service.audit.message import Action, AuditMessage, Event, Participant
from service.audit.sink import SinkUnavailable
from service.audit.syslog import SyslogSink, syslog_message
from service.audit.trail import AuditTrail
from service.cli import app
from service.config import Config

RFC5424 = re.compile(
    rb"<85>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z \S+ spinenode \d+ DICOM\+RFC3881 - "
    rb"\xef\xbb\xbf(<\?xml.*)",
    re.S,
)


def message(text: str = "") -> AuditMessage:
    event = Event(APPLICATION_ACTIVITY, Action.EXECUTE, description=text)
    return AuditMessage(event, (Participant("1", False),), (), "SPINENODE")


class SyslogReceiver:
    """A syslog-over-TLS receiver (RFC 5425) that keeps what it gets."""

    def __init__(self, context: ssl.SSLContext, port: int = 0) -> None:
        self.received: list[bytes] = []
        self.connections: list[ssl.SSLSocket] = []
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return
            try:
                connection = self._context.wrap_socket(plain, server_side=True)
            except OSError:
                continue
            self.connections.append(connection)
            threading.Thread(target=self._read, args=(connection,), daemon=True).start()

    def _read(self, connection: ssl.SSLSocket) -> None:
        try:
            with connection.makefile("rb") as stream:
                while length := _length(stream):
                    self.received.append(stream.read(length))
        except OSError:
            return

    def hang_up(self) -> None:
        for connection in self.connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        self.connections.clear()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.hang_up()


def _length(stream) -> int:
    digits = b""
    while (byte := stream.read(1)) not in (b" ", b""):
        digits += byte
    return int(digits or b"0")


@pytest.fixture
def receiver(tls_files):
    made = SyslogReceiver(tls_files.server_context(client_must_show=True))
    yield made
    made.close()


@pytest.fixture
def tls(tls_files):
    return TlsSettings(tls_files.client_cert, tls_files.client_key, tls_files.ca)


def test_a_receiver_reads_the_messages_out_of_their_frames(receiver, tls):
    sink = SyslogSink("localhost", receiver.port, tls)
    texts = ["first", "zweite: ä", "x" * 100_000]
    for text in texts:
        sink.write(message(text).to_xml())
    sink.close()
    wait_for(lambda: len(receiver.received) == len(texts))
    for frame, text in zip(receiver.received, texts, strict=True):
        match = RFC5424.fullmatch(frame)
        assert match, frame[:200]
        assert text in match[1].decode()


def test_a_connection_that_the_receiver_ended_loses_nothing(receiver, tls):
    sink = SyslogSink("localhost", receiver.port, tls)
    sink.write(b"<?xml first")
    wait_for(lambda: receiver.received)
    receiver.hang_up()
    sink.write(b"<?xml second")
    wait_for(lambda: len(receiver.received) == 2)


def test_a_receiver_with_another_authority_gets_nothing(receiver, tls_files):
    stranger = TlsSettings(tls_files.client_cert, tls_files.client_key)
    with pytest.raises(SinkUnavailable, match="CERTIFICATE_VERIFY_FAILED"):
        SyslogSink("localhost", receiver.port, stranger).write(b"<?xml")
    assert receiver.received == []


def test_a_host_name_with_strange_characters_makes_a_header_all_the_same():
    assert RFC5424.fullmatch(syslog_message(b"<?xml", "näme of host", datetime.now(UTC)))


def test_each_day_has_its_file_which_only_owner_and_group_read(tmp_path):
    today = [date(2026, 11, 20)]
    sink = DailyFileSink(tmp_path / "log" / "audit.xml", today=lambda: today[0])
    sink.write(b"<one/>")
    sink.write(b"<two/>")
    today[0] = date(2026, 11, 21)
    sink.write(b"<three/>")
    sink.close()
    first, second = sorted((tmp_path / "log").iterdir())
    assert (first.name, first.read_bytes()) == ("audit-2026-11-20.xml", b"<one/>\n<two/>\n")
    assert (second.name, second.read_bytes()) == ("audit-2026-11-21.xml", b"<three/>\n")
    assert stat.S_IMODE(first.stat().st_mode) & 0o027 == 0


def test_old_files_go_and_others_stay(tmp_path):
    names = ["audit-2026-11-10.xml", "audit-2026-11-14.xml", "audit-notes.xml", "other.xml"]
    for name in names:
        (tmp_path / name).touch()
    sink = DailyFileSink(tmp_path / "audit.xml", keep_days=7, today=lambda: date(2026, 11, 21))
    sink.write(b"<one/>")
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {*names[1:], "audit-2026-11-21.xml"}


class DownSink:
    """Refuses until it is let."""

    name = "down"

    def __init__(self) -> None:
        self.up = threading.Event()
        self.written: list[bytes] = []

    def write(self, xml: bytes) -> None:
        if not self.up.is_set():
            raise SinkUnavailable("down")
        self.written.append(xml)

    def close(self) -> None:
        pass


def test_a_sink_that_is_down_holds_up_neither_callers_nor_the_other_sink(tmp_path):
    down, counted = DownSink(), []
    file = DailyFileSink(tmp_path / "audit.xml", today=lambda: date(2026, 11, 21))
    trail = AuditTrail([down, file], lambda *count: counted.append(count), capacity=20)
    started = time.monotonic()
    for number in range(15):
        trail.record(lambda number=number: message(f"number {number}"))
    assert time.monotonic() - started < 1
    written = tmp_path / "audit-2026-11-21.xml"
    wait_for(lambda: written.exists() and written.read_bytes().count(b"number") == 15)
    down.up.set()
    wait_for(lambda: len(down.written) == 15)
    texts = [xml.decode().partition("number ")[2].partition("<")[0] for xml in down.written]
    assert texts == [str(number) for number in range(15)], "in their order, none lost"
    assert ("down", "retried") in counted
    trail.stop()


def test_what_does_not_fit_is_counted_as_lost(caplog):
    down, counted = DownSink(), []
    trail = AuditTrail([down], lambda *count: counted.append(count), capacity=5)
    for _ in range(30):
        trail.record(message)
    wait_for(lambda: any(outcome == "lost" for _, outcome in counted))
    started = time.monotonic()
    trail.stop()
    assert time.monotonic() - started < 8, "a sink that is down must not hold up the stop"
    assert "could not be written" in caplog.text


def test_the_configuration_decides_where_messages_go(tmp_path, receiver, tls_files):
    audit = {
        "file": str(tmp_path / "audit.xml"),
        "syslog": {
            "host": "localhost",
            "port": receiver.port,
            "tls": {
                "cert": str(tls_files.client_cert),
                "key": str(tls_files.client_key),
                "ca": str(tls_files.ca),
            },
        },
    }
    counted = []
    config = Config(service={"audit": audit})
    recorder = make_recorder(config, lambda *count: counted.append(count))
    recorder.started()
    recorder.stopped()
    (path,) = tmp_path.glob("audit-*.xml")
    assert path.read_text().count("<AuditMessage>") == 2
    wait_for(lambda: len(receiver.received) == 2)
    assert sorted(counted) == [("file", "written")] * 2 + [("syslog", "written")] * 2


def test_by_default_nothing_is_recorded():
    before = threading.active_count()
    recorder = make_recorder(Config(), lambda *count: pytest.fail(str(count)))
    recorder.started()
    assert threading.active_count() <= before
    recorder.stopped()


def test_a_fetch_records_each_question_and_no_accession_number(query_archive, tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text(
        f"""
node: {{spool: {tmp_path}/spool}}
service: {{audit: {{file: {tmp_path}/audit.xml}}}}
sources: [{{name: pacs, ae_title: PACS, host: 127.0.0.1, port: {query_archive.port}}}]
"""
    )
    arguments = ["fetch", "--accession", "ACC4711", "--dry-run", "--config", str(config)]
    done = CliRunner().invoke(app, arguments)
    assert "the archive has no such study" in done.output
    (path,) = tmp_path.glob("audit-*.xml")
    written = path.read_text()
    assert written.count("<AuditMessage>") == len(query_archive.queries) == 1
    assert 'originalText="Query"' in written
    query = written.partition("<ParticipantObjectQuery>")[2].partition("<")[0]
    assert b"STUDY" in base64.b64decode(query)
    assert b"4711" not in base64.b64decode(query)
