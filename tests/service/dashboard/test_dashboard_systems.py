"""The systems page: machine, model, versions, workers, and C-ECHO to real partners."""

import pytest

from inference.weights import RELEASED
from node import LoopbackArchive
from service.dashboard.board import Snapshot
from service.dashboard.job_row import JobRow
from service.dashboard.workers import Leases, SignOfLife, worker_lines
from service.lease import Lease


def row(job_id: str, state: str, worker: str | None) -> JobRow:
    ended = None if state in ("running", "queued") else 2000
    return JobRow(job_id, job_id, state, False, 0, 0, 1000, ended, worker, 1, ())


def test_disk_device_model_and_versions_are_shown(make_pages):
    text = make_pages().browser().html("/systems").text
    assert RELEASED.sha256 in text
    assert "free of" in text
    assert "torch" in text
    assert "Every calling AE title may send" in text


def test_the_password_of_the_database_is_not(make_pages):
    pages = make_pages()
    url = "postgresql://spine:hunter2@db.example.org/spinenode"
    service = pages.config.service.model_copy(update={"database": url})
    pages.config = pages.config.model_copy(update={"service": service})
    text = pages.browser().html("/systems").text
    assert "db.example.org" in text
    assert "hunter2" not in text


def test_an_operator_asks_a_destination_with_c_echo(make_pages, users, tmp_path):
    with LoopbackArchive(tmp_path / "archive") as archive:
        there = {"name": "pacs", "ae_title": "ARCHIVE", "host": "127.0.0.1", "port": archive.port}
        gone = {"name": "gone", "ae_title": "GONE", "host": "127.0.0.1", "port": 1}
        pages = make_pages(users, destinations=(there, gone))
        browser = pages.logged_in("otto")
        assert browser.html("/systems").text.count("not asked yet") == 2
        answer = browser.submit("/systems/echo/destination-pacs")
        assert answer.headers["location"] == "/systems#destination-pacs"
        browser.submit("/systems/echo/destination-gone")
        text = browser.html("/systems").text
    assert "answers," in text
    assert "not asked yet" not in text
    assert "mark failed" in text


def test_a_viewer_cannot_send_a_c_echo(make_pages, users):
    gone = {"name": "gone", "ae_title": "GONE", "host": "127.0.0.1", "port": 1}
    pages = make_pages(users, destinations=(gone,))
    browser = pages.logged_in("vera")
    assert "echo-destination-gone" not in browser.html("/systems").text
    assert browser.submit("/systems/echo/destination-gone").status == 403


@pytest.mark.parametrize("key", ["peer-0", "peer-9", "destination-nobody", "nonsense"])
def test_a_partner_that_cannot_be_asked_is_not_found(make_pages, users, key):
    pages = make_pages(users, peers=({"ae_title": "CT1"},))
    assert pages.logged_in("otto").submit(f"/systems/echo/{key}").status == 404


def test_workers_are_busy_idle_silent_or_gone():
    snapshot = Snapshot(
        (row("a", "running", "w1"), row("b", "running", "w3"), row("c", "analysed", "w4")), 0
    )
    signs = [SignOfLife("w1", "h", 1.0), SignOfLife("w2", "h", 1.0), SignOfLife("w3", "h", 50.0)]
    lines = worker_lines(snapshot, signs)
    assert [(line.name, line.state, line.jobs, line.ended) for line in lines] == [
        ("w1", "busy", ("a",), 0),
        ("w2", "idle", (), 0),
        ("w3", "silent", ("b",), 0),
        ("w4", "gone", (), 1),
    ]


def test_the_leases_of_a_shared_queue_are_its_workers(postgresql_url):
    lease = Lease(postgresql_url, "reading-room", 60.0)
    lease.acquire()
    leases = Leases(postgresql_url)
    (sign,) = leases()
    assert sign.name == "reading-room"
    assert 0 <= sign.silent_seconds < 30
    lease.release()
    assert leases() == ()
    leases.close()
