"""Forged forms, foreign names, too much data, pages that are open to a network without users."""

import pytest
from plain_browser import PASSWORD

from service.config import DashboardConfig


@pytest.fixture
def job(queue_rows):
    def add():
        queue_rows.add("a1", "ERROR")

    return add


def test_a_form_without_its_token_changes_nothing(make_pages, users, job, queue_rows):
    pages = make_pages(users)
    job()
    browser = pages.logged_in("otto")
    assert browser.post("/jobs/a1/retry", {}).status == 403
    assert browser.post("/jobs/a1/retry", {"csrf": "0" * 64}).status == 403
    assert pages.jobs.get("a1").state == "failed"
    assert ("denied", "otto", "/jobs/a1/retry", "forged") in pages.auditor.events
    assert browser.submit("/jobs/a1/retry").status == 303
    assert pages.jobs.get("a1").state == "queued"


def test_the_token_of_one_browser_is_worth_nothing_in_another(make_pages, users, job):
    pages = make_pages(users)
    job()
    token = pages.logged_in("otto").html("/").token
    other = pages.logged_in("anna")
    assert other.post("/jobs/a1/retry", {"csrf": token}).status == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
    ids=str,
)
def test_a_form_of_another_site_is_refused_even_with_the_token(make_pages, users, job, headers):
    pages = make_pages(users)
    job()
    browser = pages.logged_in("otto")
    token = browser.html("/").token
    assert browser.post("/jobs/a1/retry", {"csrf": token}, **headers).status == 403
    assert pages.jobs.get("a1").state == "failed"


def test_the_login_form_needs_its_token_too(make_pages, users):
    browser = make_pages(users).browser()
    browser.html("/login")
    assert browser.post("/login", {"name": "anna", "password": PASSWORD}).status == 403


def test_nothing_changes_by_following_a_link(make_pages, users, job):
    pages = make_pages(users)
    job()
    browser = pages.logged_in("otto")
    for path in ("/jobs/a1/retry", "/jobs/a1/cancel", "/logout", "/systems/echo/peer-0"):
        assert browser.html(path).status in (404, 405)
    assert pages.jobs.get("a1").state == "failed"


def test_a_form_larger_than_any_of_ours_is_refused(make_pages, users):
    browser = make_pages(users).browser()
    token = browser.html("/login").token
    answer = browser.post("/login", {"csrf": token, "name": "x" * 20_000, "password": ""})
    assert answer.status == 400


def test_what_is_no_form_is_refused(make_pages, users):
    browser = make_pages(users).browser()
    browser.html("/login")
    assert browser.post("/login", {"a": "b"}, Content_Type="text/plain").status in (400, 403)


def test_without_users_a_foreign_name_for_this_address_is_refused(make_pages):
    browser = make_pages().browser()
    assert browser.html("/").status == 200
    assert browser.get("/", Host="localhost:8042").status == 200
    assert browser.get("/", Host="rebound.example:8042").status == 421


def test_without_users_nobody_sees_identifiers_and_anybody_on_this_machine_operates(
    make_pages, job
):
    pages = make_pages()
    job()
    browser = pages.browser()
    assert browser.html("/jobs/a1/patient").status == 403
    assert "Show the patient" not in browser.html("/jobs/a1").text
    assert browser.submit("/jobs/a1/retry", page="/jobs/a1").status == 303
    assert ("action", "", "a1", "retry") in pages.auditor.events


def test_without_users_the_pages_are_locked_on_an_address_beyond_this_machine(make_pages):
    pages = make_pages(host="0.0.0.0")
    browser = pages.browser()
    answer = browser.html("/")
    assert answer.status == 403
    assert "spinenode hash-password" in answer.text
    assert browser.get("/health/ready").status == 200
    assert browser.get("/metrics").status == 200


def test_the_pages_listen_on_loopback_unless_configured_otherwise():
    assert DashboardConfig().host == "127.0.0.1"


def test_every_page_but_the_probes_needs_a_login(make_pages, users, job):
    pages = make_pages(users)
    job()
    browser = pages.browser()
    open_paths = {"/login", "/health/live", "/health/ready", "/static"}
    for route in pages.app.routes:
        path = route.path.replace("{job_id}", "a1").replace("{name}", "overview.png")
        if path in open_paths or "POST" in (getattr(route, "methods", None) or ()):
            continue
        assert browser.get(path).status == 401, path
