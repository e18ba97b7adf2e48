"""The dashboard as people use it, in a real browser before the real service."""

import re

import pytest
from chromium import faults
from playwright.sync_api import expect

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
ANALYSIS_MS = 240_000
expect.set_options(timeout=20_000)
TAKEN, REFUSED = 0x0000, 0xC123
"""C-STORE statuses of the archive (PS3.4 Table B.2-1)."""

RENEW = """() => {
  const live = document.getElementById("live");
  live.dataset.old = "yes";
  const address = live.getAttribute("hx-get").replace(/seen=.*/, "seen=something-else");
  htmx.ajax("GET", address, {target: "#live", swap: "outerHTML"});
}"""
"""As when something on the page has changed."""


def test_log_in_watch_a_job_go_through_open_it_and_retry_its_delivery(hospital, picture):
    """One story without a single reload: what changes on the page changed by itself."""
    hospital.the_archive_answers(REFUSED)
    page = hospital.window()
    page.goto(hospital.url("/"))
    expect(page).to_have_title(re.compile("Log in"))
    expect(page.get_by_label("Name")).to_be_focused()
    picture(page, "login")
    page.keyboard.type("anna")
    page.keyboard.press("Tab")
    page.keyboard.type("wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("do not match")
    page.get_by_label("Name").fill("anna")
    page.get_by_label("Password").fill("correct horse")
    page.keyboard.press("Enter")
    expect(page.get_by_text("No jobs yet.")).to_be_visible()
    picture(page, "queue-empty")

    hospital.scan("story")
    expect(page.get_by_role("heading", name="At work now")).to_be_visible(timeout=ANALYSIS_MS)
    picture(page, "queue-running")
    assert faults(page) == []
    table = page.locator("#jobs-table")
    expect(table.locator(".state")).to_have_text("analysed", timeout=ANALYSIS_MS)
    expect(table.locator(".mark.failed")).to_contain_text("pacs", timeout=ANALYSIS_MS)
    expect(page.locator(".tile.alert")).to_contain_text("1")
    picture(page, "queue-attention")

    table.locator("tbody a").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Job")
    expect(page.locator("tr.flagged th")).to_have_text("L2")
    expect(page.locator(".delivery")).to_contain_text("refused")
    overview = page.locator("#overview img")
    assert overview.evaluate("image => image.decode().then(() => image.naturalWidth)") > 500
    picture(page, "job-delivery-failed")
    assert faults(page) == []

    hospital.the_archive_answers(TAKEN)
    page.get_by_role("button", name="Retry").click()
    expect(page.get_by_text("Queued.")).to_be_visible()
    expect(page.locator(".delivery .state")).to_have_text("delivered", timeout=ANALYSIS_MS)
    expect(page.get_by_role("button", name="Retry")).to_have_count(0)
    picture(page, "job-delivered")
    assert hospital.chromium.complaints == [
        "Failed to load resource: the server responded with a status of 401 (Unauthorized)"
    ]


def test_a_failed_job_is_retried_and_finishes(hospital, picture):
    page = hospital.logged_in("anna")
    known = {path.name for path in hospital.service.jobs_folder.iterdir()}
    hospital.scan("broken")

    def folder():
        fresh = (p for p in hospital.service.jobs_folder.iterdir() if p.name not in known)
        return next(fresh, None)

    job = hospital.service.wait_for(folder, "the job's folder")
    (job / "results.new").write_text("a file where a folder has to be")
    link = page.locator(f"#job-{job.name}")
    row = page.locator("tr", has=link)
    expect(row.locator(".state")).to_have_text("failed", timeout=ANALYSIS_MS)
    link.click()
    expect(page.locator("#live .notice.bad")).to_contain_text("This run failed.")
    picture(page, "job-failed")
    assert faults(page) == []
    (job / "results.new").unlink()
    page.get_by_role("button", name="Retry").click()
    expect(page.locator(".title .state")).to_have_text("analysed", timeout=ANALYSIS_MS)
    expect(page.locator("tr.flagged th")).to_have_text("L2")


def open_job(hospital, page):
    """The page of a job that ended, opened from the queue."""
    page.goto(hospital.url("/?state=analysed"))
    page.locator("#jobs-table tbody a").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Job")


def test_the_patient_appears_on_request_and_stays_while_the_page_renews_itself(hospital, picture):
    page = hospital.logged_in("anna")
    open_job(hospital, page)
    assert "Doe" not in page.content()
    page.get_by_role("button", name="Show the patient").click()
    expect(page.locator(".identifiers")).to_contain_text("Doe ")
    picture(page, "job-patient")
    assert faults(page) == []
    page.evaluate(RENEW)
    expect(page.locator("#live[data-old]")).to_have_count(0)
    expect(page.locator(".identifiers")).to_contain_text("Doe ")


def test_a_viewer_sees_everything_but_buttons_and_patients(hospital, picture):
    page = hospital.logged_in("vera")
    open_job(hospital, page)
    expect(page.get_by_text("Patient identifiers are hidden")).to_be_visible()
    buttons = page.get_by_role("button").all_inner_texts()
    assert buttons == ["Log out"]
    picture(page, "job-viewer")


def test_systems_and_left_out_pages(hospital, picture):
    page = hospital.logged_in("anna")
    page.get_by_role("link", name="Systems").click()
    page.get_by_role("button", name=re.compile("C-ECHO")).click()
    expect(page.get_by_text(re.compile("answers,"))).to_be_visible()
    picture(page, "systems")
    assert faults(page) == []
    page.get_by_role("link", name="Left out").click()
    expect(page.get_by_text("Nothing was left out.")).to_be_visible()
    hospital.scan("scout", images=3)
    expect(page.get_by_text("rules.min_instances is 8")).to_be_visible(timeout=ANALYSIS_MS)
    picture(page, "left-out")
    assert faults(page) == []
    page.get_by_role("button", name="Analyse").click()
    expect(page.get_by_text("Queued.")).to_be_visible()


@pytest.mark.parametrize("path", ["/login", "/", "/systems", "/left-out", "/jobs/0123", "job"])
def test_no_page_has_a_fault_in_the_dark_either(hospital, picture, path):
    page = hospital.logged_in("anna", color_scheme="dark")
    if path == "/login":
        page.get_by_role("button", name="Log out").click()
    elif path == "job":
        open_job(hospital, page)
    else:
        page.goto(hospital.url(path))
    picture(page, f"dark-{path.strip('/').replace('/', '-') or 'queue'}")
    assert faults(page) == []


@pytest.mark.parametrize("path", ["/", "/systems", "/systems#destination-pacs", "/left-out", "job"])
def test_nothing_is_cut_off_scrolls_sideways_or_hangs_below_at_1280_pixels(hospital, path):
    page = hospital.logged_in("anna")
    if path == "job":
        open_job(hospital, page)
    else:
        page.goto(hospital.url(path))
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280
    below_the_footer = page.evaluate(
        "document.documentElement.scrollHeight - scrollY"
        " - document.querySelector('footer').getBoundingClientRect().bottom"
    )
    assert below_the_footer <= 1
    tables = page.locator(".scroll").evaluate_all(
        "all => all.map(e => e.scrollWidth - e.clientWidth)"
    )
    assert all(excess <= 0 for excess in tables)


def test_the_keyboard_reaches_everything_and_keeps_its_place_when_the_page_renews(hospital):
    page = hospital.logged_in("anna")
    page.goto(hospital.url("/"))
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    reached = []
    for _ in range(20):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id"))
    job = next(each for each in reached if each.startswith("job-"))
    assert "text" in reached
    assert "tab-trouble" in reached
    page.locator(f"#{job}").focus()
    page.evaluate(RENEW)
    expect(page.locator("#live[data-old]")).to_have_count(0)
    assert page.evaluate("document.activeElement.id") == job
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Job")


def test_a_page_that_loses_its_node_says_so(hospital, picture):
    """The last test: it stops the service."""
    page = hospital.logged_in("anna")
    hospital.service.kill()
    expect(page.get_by_text("The connection to the node is lost")).to_be_visible()
    picture(page, "lost")
