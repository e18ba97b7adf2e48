"""The page of one job: timeline, findings, pictures, deliveries, actions, and the patient."""

import json
import shutil
import time
from dataclasses import replace

import pydicom
import pytest

from node import DeliveryState
from service.dashboard.job_detail import read_job
from service.queue import NEXT_ATTEMPT
from service.request import Request
from service.workspace import Workspace
from sr_writer import WrittenObject

PATIENT = {
    "PatientName": "Zyxwvut^Qponm",
    "PatientID": "SECRET-4711",
    "PatientBirthDate": "19440321",
}


@pytest.fixture
def with_results(make_pages, queue_rows, users, analysed, small_phantom, tmp_path):
    """Pages with the finished job a1: two destinations, one of which failed."""
    pages = make_pages(users)
    image = tmp_path / "image.dcm"
    ds = pydicom.dcmread(next((small_phantom / "dicom").iterdir()))
    for keyword, value in PATIENT.items():
        setattr(ds, keyword, value)
    ds.save_as(image)
    shutil.copytree(analysed, pages.folder("a1") / "results")
    Workspace(pages.folder("a1")).put_request(
        Request("a1", (image,), "2026", StudyInstanceUID="1.2", SeriesInstanceUID="1.2.3")
    )
    queue_rows.add("a1")
    for number, step in enumerate(("assemble", "segment", "measure"), 1):
        queue_rows.add_step("a1", number, step, seconds=number)
    queue_rows.add_delivery("a1", "pacs")
    queue_rows.add_step("a1@pacs", 1, "send attempt 1", output="")
    queue_rows.add_delivery("a1", "research", "ERROR")
    queue_rows.add_step("a1@research", 1, "send attempt 1", output="association rejected")
    queue_rows.add_step("a1@research", 3, "send attempt 2", output="0xA700 out of resources")
    return pages


def test_findings_timeline_picture_and_deliveries_are_shown(with_results):
    browser = with_results.logged_in("vera")
    text = browser.html("/jobs/a1").text
    for level in ("L1", "L2", "L3", "L4", "L5"):
        assert f"{level}</th>" in text
    assert "Suspected vertebral fracture: L2 wedge" in text
    assert "segment vertebrae" in text
    assert "association rejected" not in text  # only the last problem counts
    assert "0xA700 out of resources" in text
    assert "2 attempts" in text
    assert browser.get("/jobs/a1/pictures/overview.png").body.startswith(b"\x89PNG")
    assert browser.get("/jobs/a1/pictures/closeup-L2.png").body.startswith(b"\x89PNG")


def test_the_warnings_of_the_findings_are_shown_with_their_codes(with_results):
    path = with_results.folder("a1") / "results" / "findings.json"
    findings = json.loads(path.read_text())
    findings["warnings"] = [{"code": "level_uncertain", "text": "Names may be <one> level off."}]
    path.write_text(json.dumps(findings))
    text = with_results.logged_in("vera").html("/jobs/a1").text
    assert "Names may be &lt;one&gt; level off. <code>level_uncertain</code>" in text


def test_a_viewer_has_no_buttons_and_no_way_around_them(with_results):
    browser = with_results.logged_in("vera")
    assert 'id="retry"' not in browser.html("/jobs/a1").text
    for action in ("retry", "cancel"):
        assert browser.submit(f"/jobs/a1/{action}").status == 403
    assert ("denied", "vera", "/jobs/a1/retry", "role") in with_results.auditor.events
    assert {d.destination: d.state for d in with_results.jobs.get("a1").deliveries} == {
        "pacs": "delivered",
        "research": "failed",
    }


def test_an_operator_retries_what_failed_and_only_that(with_results):
    browser = with_results.logged_in("otto")
    assert 'id="retry"' in browser.html("/jobs/a1").text
    answer = browser.submit("/jobs/a1/retry")
    assert (answer.status, answer.headers["location"]) == (303, "/jobs/a1?done=retry")
    assert "Queued." in browser.html("/jobs/a1?done=retry").text
    states = {d.destination: d.state for d in with_results.jobs.get("a1").deliveries}
    assert states == {"pacs": "delivered", "research": "queued"}
    assert ("action", "otto", "a1", "retry") in with_results.auditor.events


def test_an_operator_cancels_what_has_not_ended(make_pages, queue_rows, users):
    pages = make_pages(users)
    queue_rows.add("b2", "ENQUEUED")
    browser = pages.logged_in("otto")
    assert browser.submit("/jobs/b2/cancel").status == 303
    assert pages.jobs.get("b2").state == "cancelled"
    again = browser.submit("/jobs/b2/cancel")
    assert again.status == 409
    assert "nothing to cancel" in again.text


@pytest.mark.parametrize(("user", "may_see"), [("anna", True), ("otto", False), ("vera", False)])
def test_the_patient_is_shown_on_request_to_those_who_may_and_each_look_is_audited(
    with_results, user, may_see
):
    browser = with_results.logged_in(user)
    page = browser.html("/jobs/a1").text
    assert all(value not in page for value in PATIENT.values())
    assert ("Show the patient" in page) == may_see
    for _ in range(2):
        answer = browser.get("/jobs/a1/patient", HX_Request="true")
        assert answer.status == (200 if may_see else 403)
        assert ("Zyxwvut Qponm" in answer.text) == may_see
        assert ("SECRET-4711" in answer.text) == may_see
    looks = [event for event in with_results.auditor.events if event[0] in ("access", "denied")]
    if may_see:
        assert looks == [("access", "anna", "a1", "identifiers")] * 2
    else:
        assert looks == [("denied", user, "/jobs/a1/patient", "role")] * 2


def test_the_report_names_the_patient_and_so_is_a_look_too(with_results):
    anna = with_results.logged_in("anna")
    answer = anna.get("/jobs/a1/report.pdf")
    assert answer.body.startswith(b"%PDF")
    assert ("access", "anna", "a1", "report") in with_results.auditor.events
    assert with_results.logged_in("otto").get("/jobs/a1/report.pdf").status == 403


def test_the_looks_of_a_patient_whose_images_are_gone_still_answer(with_results, tmp_path):
    (tmp_path / "image.dcm").unlink()
    (with_results.folder("a1") / "results" / "report.sr.dcm").unlink()
    text = with_results.logged_in("anna").get("/jobs/a1/patient").text
    assert "no longer on this machine" in text


def test_a_failed_job_says_why_and_a_delivery_that_waits_says_until_when(
    make_pages, queue_rows, users
):
    pages = make_pages(users)
    queue_rows.add("c3", "ERROR")
    queue_rows.add("d4")
    queue_rows.add_delivery("d4", "pacs", "PENDING")
    queue_rows.add_step("d4@pacs", 1, "send attempt 1", output="connection refused")
    queue_rows.add_step("d4@pacs", 2, NEXT_ATTEMPT, output=time.time() + 125)
    browser = pages.logged_in("vera")
    assert "ValueError: the disk is full" in browser.html("/jobs/c3").text
    text = browser.html("/jobs/d4").text
    assert "connection refused" in text
    assert "next in 2 min" in text
    assert "retrying" in text


def test_the_timeline_begins_with_waiting_and_ends_with_the_step_that_lasts(make_pages, queue_rows):
    pages = make_pages()
    queue_rows.add("a1", "PENDING")
    queue_rows.add_step("a1", 1, "assemble", seconds=2)
    job = read_job(pages.board, "a1")
    assert [(span.name, span.ended_ms is None) for span in job.spans] == [
        ("waiting", False),
        ("assemble", False),
        ("segment", True),
    ]
    assert job.spans[1].ended_ms - job.spans[1].started_ms == 2000


def test_a_job_that_begins_like_another_is_not_mixed_up_with_it(make_pages, queue_rows):
    pages = make_pages()
    queue_rows.add("ab", "ERROR")
    queue_rows.add("abc")
    queue_rows.add_delivery("abc", "pacs")
    job = read_job(pages.board, "ab")
    assert (job.state, job.deliveries) == ("failed", ())


def test_a_running_job_is_not_shown_with_the_findings_of_an_earlier_run(with_results, queue_rows):
    queue_rows.add("a1.2", "PENDING")
    text = with_results.logged_in("vera").html("/jobs/a1").text
    assert "Suspected vertebral fracture" not in text


def test_a_job_names_the_one_it_replaces_the_one_that_replaced_it_and_why_nothing_was_sent(
    with_results,
):
    workspace = Workspace(with_results.folder("a1"))
    request = workspace.request()
    workspace.put_request(
        replace(request, choice="chosen before series 9.9 (thinner)", supersedes=("0dd", "0cc"))
    )
    workspace.put_superseded("b2b2")
    workspace.put_withheld("shows 1 level, rules.min_levels is 3")
    workspace.put_delivery_note("pacs", "SEG refused, pictures sent instead")
    text = with_results.logged_in("vera").html("/jobs/a1").text
    assert 'href="/jobs/b2b2"' in text
    assert text.index('href="/jobs/0dd"') < text.index('href="/jobs/0cc"')
    for words in (
        "chosen before series 9.9 (thinner)",
        "shows 1 level, rules.min_levels is 3",
        "SEG refused, pictures sent instead",
    ):
        assert words in text


@pytest.mark.parametrize(
    "name", ["report.pdf", "report.sr.dcm", "findings.json", "..%2frequest.json", "overview.sc.dcm"]
)
def test_only_pictures_come_without_an_audited_look(with_results, name):
    browser = with_results.logged_in("anna")
    assert browser.get(f"/jobs/a1/pictures/{name}").status == 404


def test_each_object_is_accounted_for_at_each_archive(with_results):
    folder = with_results.folder("a1")
    written = tuple(
        WrittenObject(kind, folder / "results" / file, "1.2", uid, "1.2.3")
        for kind, file, uid in (
            ("seg", "vertebrae.seg.dcm", "1.1"),
            ("sr", "report.sr.dcm", "1.2"),
            ("pdf", "report.pdf.dcm", "1.3"),
        )
    )
    Workspace(folder).put_written(written)
    with_results.object_states |= {
        ("pacs", "1.1"): DeliveryState.FAILED,
        ("pacs", "1.2"): DeliveryState.COMMITTED,
        ("research", "1.3"): DeliveryState.QUEUED,
    }
    text = with_results.logged_in("vera").html("/jobs/a1").text
    assert "1 of 2 objects stored" in text
    assert "0 of 1 objects stored" in text
    assert "<dt>vertebrae.seg.dcm</dt><dd>refused</dd>" in text
    assert "<dt>report.sr.dcm</dt><dd>stored, kept for good</dd>" in text
    assert "<dt>report.pdf.dcm</dt><dd>to be sent</dd>" in text
