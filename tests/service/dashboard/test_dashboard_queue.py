"""The queue page: every state, search, pages of pages, and parts that renew themselves."""

import json
import re
import time
from urllib.parse import quote

import pytest

from service.dashboard.job_row import PAGE_SIZE
from service.dashboard.workers import SignOfLife
from service.request import Request
from service.workspace import Workspace

STATES = {
    "queued": {"status": "ENQUEUED"},
    "running": {"status": "PENDING"},
    "analysed": {"status": "SUCCESS"},
    "not_analysable": {"status": "SUCCESS", "output": "not_analysable"},
    "failed": {"status": "ERROR"},
    "cancelled": {"status": "CANCELLED"},
}


def shown(text: str) -> list[str]:
    """Ids of the jobs in the table, from the top."""
    return re.findall(r'id="job-([0-9a-z]+)"', text)


def request(pages, job_id: str, series: str = "1.2.3", study: str = "1.2"):
    Workspace(pages.folder(job_id)).put_request(
        Request(job_id, (), "2026-01-01", StudyInstanceUID=study, SeriesInstanceUID=series)
    )


@pytest.fixture
def one_of_each(make_pages, queue_rows):
    pages = make_pages()
    for number, (state, columns) in enumerate(STATES.items()):
        queue_rows.add(f"{number:02d}{state[:3]}", **columns)
    return pages


def test_an_empty_queue_says_what_to_do(make_pages):
    text = make_pages().browser().html("/").text
    assert "No jobs yet." in text
    assert "SPINENODE" in text


@pytest.mark.parametrize("state", STATES)
def test_each_state_can_be_asked_for_alone(one_of_each, state):
    text = one_of_each.browser().html(f"/?state={state}").text
    (job,) = shown(text)
    assert job.endswith(state[:3])


def test_a_failed_delivery_needs_attention_though_its_analysis_went_well(one_of_each, queue_rows):
    queue_rows.add_delivery("02ana", "pacs", "ERROR")
    browser = one_of_each.browser()
    assert set(shown(browser.html("/?state=trouble").text)) == {"02ana", "04fai"}
    assert shown(browser.html("/?state=failed").text) == ["04fai"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("04f", ["04fai"]),
        ("1.2.826.7", ["02ana"]),
        ("pacs", ["02ana"]),
        ("host-b", ["01run"]),
        ("stat", ["00que"]),
        ("host-b 04f", []),
        ("%", []),
    ],
)
def test_search_takes_ids_uids_workers_destinations_and_stat(make_pages, queue_rows, text, found):
    pages = make_pages()
    queue_rows.add("00que", "ENQUEUED", priority=1)
    queue_rows.add("01run", "PENDING", executor_id="host-b")
    queue_rows.add("02ana")
    queue_rows.add_delivery("02ana", "pacs")
    queue_rows.add("04fai", "ERROR")
    request(pages, "02ana", series="1.2.826.77.1")
    assert shown(pages.browser().html(f"/?text={quote(text)}").text) == found


def test_what_is_searched_for_is_text_and_never_markup(make_pages, queue_rows):
    pages = make_pages()
    queue_rows.add("a1", executor_id="<script>alert(1)</script>")
    text = pages.browser().html("/?text=%3Cscript%3Ex").text
    assert "&lt;script&gt;x" in text
    assert "<script>x" not in text
    assert "<script>alert" not in pages.browser().html("/").text


def test_long_queues_come_in_pages_with_the_newest_first(make_pages, queue_rows):
    pages = make_pages()
    now = int(time.time() * 1000)
    for number in range(PAGE_SIZE + 3):
        queue_rows.add(f"{number:04x}", created_at=now + number)
    browser = pages.browser()
    first, second = browser.html("/"), browser.html("/?page=2")
    assert len(shown(first.text)) == PAGE_SIZE
    assert shown(first.text)[0] == f"{PAGE_SIZE + 2:04x}"
    assert shown(second.text) == ["0002", "0001", "0000"]
    assert 'href="/?page=2"' in first.text
    assert shown(browser.html("/?page=99").text) == shown(second.text)
    assert browser.html("/?page=-1&state=nonsense").status == 200


def test_a_running_job_shows_its_worker_and_the_step_it_is_at(make_pages, queue_rows):
    pages = make_pages()
    queue_rows.add("a1", "PENDING")
    for number, step in enumerate(("assemble", "segment"), 1):
        queue_rows.add_step("a1", number, step)
    text = pages.browser().html("/").text
    assert 'max="6" value="2"' in text
    assert "measure heights" in text
    assert "gives no sign of life" not in text


def test_a_job_whose_worker_is_silent_or_gone_says_so(make_pages, queue_rows):
    pages = make_pages()
    queue_rows.add("a1", "PENDING")
    browser = pages.browser()
    pages.workers[:] = [SignOfLife("host-a", "host-a", 45.0)]
    assert "gives no sign of life" in browser.html("/").text
    pages.workers.clear()
    assert "gives no sign of life" in browser.html("/").text


def test_a_retried_job_is_one_row_in_its_latest_state(make_pages, queue_rows):
    pages = make_pages()
    queue_rows.add("a1", "ERROR")
    queue_rows.add("a1.2")
    text = pages.browser().html("/").text
    assert shown(text) == ["a1"]
    assert "run 2" in text
    assert shown(pages.browser().html("/?state=failed").text) == []


def test_a_part_is_sent_again_only_when_something_changed(make_pages, queue_rows):
    pages = make_pages()
    queue_rows.add("a1", "ENQUEUED")
    browser = pages.browser()
    address = re.search(r'hx-get="(/live/queue[^"]*)"', browser.html("/").text)[1]
    assert browser.get(address, HX_Request="true").status == 204
    queue_rows.add("b2", created_at=int(time.time() * 1000))
    deadline = time.monotonic() + 10
    while (answer := browser.get(address, HX_Request="true")).status == 204:
        assert time.monotonic() < deadline
    assert shown(answer.text) == ["b2", "a1"]
    assert "<html" not in answer.text
    assert re.search(r'hx-get="(/live/queue[^"]*)"', answer.text)[1] != address


def test_what_is_wrong_with_the_node_stands_above_the_queue(make_pages):
    pages = make_pages()
    pages.problems["disk"] = "0.3 GiB free"
    assert "0.3 GiB free" in pages.browser().html("/").text


def test_no_page_is_a_traceback_when_the_database_is_gone(make_pages, queue_rows):
    pages = make_pages()
    browser = pages.browser()
    assert browser.html("/").status == 200
    (pages.config.node.spool / "queue.sqlite").write_bytes(b"no database at all " * 500)
    deadline = time.monotonic() + 10
    while (answer := browser.html("/")).status == 200:
        assert time.monotonic() < deadline
    assert answer.status == 503
    assert "cannot be reached" in answer.text
    assert "Traceback" not in answer.text


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, "L2 wedge, grade 2"),
        ({"fractured": False}, "5 vertebrae judged, none flagged"),
        ({"fractured": None}, "No vertebra could be judged for fracture."),
    ],
)
def test_each_line_tells_what_was_found(make_pages, queue_rows, analysed, change, words):
    pages = make_pages()
    queue_rows.add("a1")
    findings = json.loads((analysed / "findings.json").read_text())
    for vertebra in findings["vertebrae"]:
        vertebra.update(change if vertebra["fractured"] is not None else {})
    results = pages.folder("a1") / "results"
    results.mkdir()
    (results / "findings.json").write_text(json.dumps(findings))
    assert words in pages.browser().html("/").text


def test_the_line_of_a_series_that_is_not_analysable_says_why(make_pages, queue_rows, analysed):
    pages = make_pages()
    queue_rows.add("a1", output="not_analysable")
    findings = json.loads((analysed / "findings.json").read_text())
    findings |= {
        "status": "not_analysable",
        "reasons": [{"code": "missing_slice", "text": "2 slices are missing"}],
        "vertebrae": [],
    }
    results = pages.folder("a1") / "results"
    results.mkdir()
    (results / "findings.json").write_text(json.dumps(findings))
    assert "2 slices are missing" in pages.browser().html("/").text


def test_a_notification_is_told_from_an_archive(make_pages, queue_rows):
    pages = make_pages()
    queue_rows.add("a1")
    queue_rows.add_delivery("a1", "notify:ward")
    browser = pages.browser()
    for path in ("/", "/jobs/a1"):
        text = browser.html(path).text
        assert "ward (notification)" in text
        assert "notify:" not in text
