"""Logging in over real HTTP: passwords, cookies, sessions, and how often somebody may try."""

import http.client
import ssl
from base64 import b64encode

import pytest
from plain_browser import PASSWORD, quick_hash
from pydantic import ValidationError

from service.config import Config
from service.config_file import load_config
from service.dashboard.sessions import LONGEST_SECONDS, Sessions
from service.dashboard.throttle import FORGET_SECONDS, LONGEST_WAIT_SECONDS, Throttle
from service.errors import ConfigurationError


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


def basic(name: str, password: str = PASSWORD) -> dict[str, str]:
    return {"Authorization": "Basic " + b64encode(f"{name}:{password}".encode()).decode()}


def with_users(pages, users: dict):
    """The configuration of the pages, with other users."""
    dashboard = Config(service={"dashboard": {"port": 0, "users": users}}).service.dashboard
    service = pages.config.service.model_copy(update={"dashboard": dashboard})
    return pages.config.model_copy(update={"service": service})


def test_without_login_a_browser_is_sent_to_the_form_and_back(make_pages, users):
    browser = make_pages(users).browser()
    answer = browser.html("/systems")
    assert (answer.status, answer.headers["location"]) == (303, "/login?next=/systems")
    form = browser.html("/login?next=/systems")
    answer = browser.submit(
        "/login", page="/login", name="anna", password=PASSWORD, next="/systems"
    )
    assert 'value="/systems"' in form.text
    assert (answer.status, answer.headers["location"]) == (303, "/systems")
    assert browser.html("/systems").status == 200


@pytest.mark.parametrize("elsewhere", ["//evil.example", "https://evil.example", "/logout", "/\\e"])
def test_the_login_leads_to_pages_of_ours_only(make_pages, users, elsewhere):
    browser = make_pages(users).browser()
    answer = browser.submit("/login", page="/login", name="otto", password=PASSWORD, next=elsewhere)
    assert answer.headers["location"] == "/"


@pytest.mark.parametrize(("name", "password"), [("anna", "wrong"), ("nobody", PASSWORD), ("", "")])
def test_a_wrong_name_or_password_is_refused_in_the_same_words(make_pages, users, name, password):
    pages = make_pages(users)
    browser = pages.browser()
    answer = browser.log_in(name, password)
    assert answer.status == 401
    assert "Name and password do not match." in answer.text
    assert browser.html("/").status == 303
    assert ("login", name if name in users else "", "127.0.0.1", "refused") in pages.auditor.events


def test_a_name_that_is_not_configured_is_not_recorded_it_may_be_a_password(make_pages, users):
    pages = make_pages(users)
    pages.browser().log_in(PASSWORD, "")
    assert all(PASSWORD not in event for event in pages.auditor.events)


def test_the_cookie_is_unreadable_for_scripts_and_other_sites_and_new_after_login(
    make_pages, users
):
    browser = make_pages(users).browser()
    first = browser.html("/login").headers["set-cookie"]
    answer = browser.log_in("anna")
    second = answer.headers["set-cookie"]
    for cookie in (first, second):
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
    assert first.split(";")[0] != second.split(";")[0]


def test_a_token_planted_before_the_login_opens_nothing(make_pages, users):
    pages = make_pages(users)
    planted = pages.browser()
    planted.html("/login")
    victim = pages.browser()
    victim.cookie = planted.cookie
    assert victim.log_in("anna").status == 303
    assert planted.html("/").status == 303


def test_logging_out_ends_the_session_at_the_server(make_pages, users):
    pages = make_pages(users)
    browser = pages.logged_in("anna")
    kept = browser.cookie
    assert browser.submit("/logout").status == 303
    browser.cookie = kept
    assert browser.html("/").status == 303
    assert [event[3] for event in pages.auditor.events] == ["accepted", "logout"]


@pytest.mark.parametrize(
    "changed",
    [{}, {"anna": quick_hash("another password"), "otto": quick_hash()}],
    ids=["user removed", "password changed"],
)
def test_a_changed_configuration_ends_sessions_at_once(make_pages, users, changed):
    pages = make_pages(users)
    browser = pages.logged_in("anna")
    assert browser.html("/").status == 200
    pages.config = with_users(pages, changed or {"otto": quick_hash()})
    assert browser.html("/").status == 303


def test_scripts_may_read_with_basic_credentials_and_change_nothing(make_pages, users):
    pages = make_pages(users)
    browser = pages.browser()
    refused = browser.get("/metrics")
    assert refused.status == 401
    assert refused.headers["www-authenticate"].startswith("Basic")
    assert browser.get("/metrics", **basic("vera")).status == 200
    assert browser.get("/metrics", **basic("vera", "wrong")).status == 401
    assert browser.post("/jobs/abc/retry", {}, **basic("otto")).status == 401


def test_guessing_is_slowed_down_and_said_so(make_pages, users):
    pages = make_pages(users)
    browser = pages.browser()
    statuses = [browser.log_in("anna", "wrong").status for _ in range(4)]
    assert statuses == [401, 401, 401, 429]
    answer = browser.log_in("anna")
    assert answer.status == 429
    assert 1 <= int(answer.headers["retry-after"]) <= LONGEST_WAIT_SECONDS
    assert browser.get("/metrics", **basic("anna")).status == 429
    assert ("login", "anna", "127.0.0.1", "delayed") in pages.auditor.events


def test_the_wait_doubles_to_a_minute_and_ends_with_a_success():
    clock = Clock()
    throttle, waits = Throttle(clock), []
    for _ in range(12):
        waits.append(throttle.wait_seconds(("user anna",)))
        clock.now += waits[-1]
        throttle.count_try(("user anna",))
    assert waits == [0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert throttle.wait_seconds(("user otto",)) == 0
    assert throttle.wait_seconds(("user otto", "user anna")) > 0
    throttle.succeeded(("user anna",))
    assert throttle.wait_seconds(("user anna",)) == 0


def test_failures_are_forgotten_after_a_while():
    clock = Clock()
    throttle = Throttle(clock)
    for _ in range(8):
        throttle.count_try(("user anna",))
    clock.now += FORGET_SECONDS + 1
    throttle.count_try(("user anna",))
    assert throttle.wait_seconds(("user anna",)) == 0


def test_a_session_ends_when_it_is_not_used_and_after_half_a_day_in_any_case():
    clock = Clock()
    sessions = Sessions(lambda: 600.0, clock)
    idle = sessions.open("anna", "hash")
    clock.now += 601
    assert sessions.find(idle) is None
    used = sessions.open("anna", "hash")
    for _ in range(int(LONGEST_SECONDS // 500)):
        clock.now += 500
        sessions.prolong(used)
        assert sessions.find(used) is not None
    clock.now += 500
    assert sessions.find(used) is None


def test_a_page_that_renews_itself_does_not_keep_its_session_alive(make_pages, users):
    pages = make_pages(users, session_idle_minutes=0.02)
    browser = pages.logged_in("anna")
    answers = []
    while not answers or answers[-1].status in (200, 204):
        answers.append(browser.get("/live/queue", HX_Request="true"))
        assert len(answers) < 10_000
    assert answers[-1].status == 401
    assert answers[-1].headers["hx-redirect"] == "/login?next=/"


@pytest.mark.parametrize("text", ["hunter2", "scrypt$hunter2", quick_hash()[:-9], "scrypt$$"])
def test_what_no_password_can_fit_is_refused_at_start_and_not_repeated(tmp_path, text):
    file = tmp_path / "config.yaml"
    file.write_text(f"service:\n  dashboard:\n    users:\n      anna: {text}\n")
    with pytest.raises(ConfigurationError, match=r"line 4: .*no password hash") as refused:
        load_config(file)
    assert "hunter2" not in str(refused.value)
    assert text not in str(refused.value)


def test_an_unknown_role_is_refused():
    user = {"password": quick_hash(), "role": "root"}
    with pytest.raises(ValidationError, match="viewer"):
        Config(service={"dashboard": {"users": {"anna": user}}})


def test_over_tls_the_cookie_never_travels_in_clear(make_pages, users, tls_files):
    pages = make_pages(users, tls_cert=tls_files.server_cert, tls_key=tls_files.server_key)
    browser = pages.browser()
    browser.tls = ssl.create_default_context(cafile=str(tls_files.ca))
    answer = browser.log_in("anna")
    assert answer.status == 303
    assert answer.headers["set-cookie"].startswith("__Host-")
    assert "; Secure" in answer.headers["set-cookie"]
    assert "max-age=" in answer.headers["strict-transport-security"]
    assert browser.html("/").status == 200
    with pytest.raises((http.client.HTTPException, OSError)):
        pages.browser().html("/")


def test_tls_1_2_has_forward_secrecy_and_authenticated_encryption(make_pages, tls_files):
    pages = make_pages(tls_cert=tls_files.server_cert, tls_key=tls_files.server_key)
    browser = pages.browser()
    browser.tls = ssl.create_default_context(cafile=str(tls_files.ca))
    browser.tls.maximum_version = ssl.TLSVersion.TLSv1_2
    assert browser.get("/health/live").status == 200
    browser.tls.set_ciphers("ECDHE-ECDSA-AES256-SHA384:ECDHE-ECDSA-AES128-SHA256:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError):
        browser.get("/health/live")


def test_behind_a_proxy_with_tls_on_this_machine_the_cookie_is_secure_too(make_pages, users):
    browser = make_pages(users).browser()
    answer = browser.get("/login", Accept="text/html", X_Forwarded_Proto="https")
    assert "; Secure" in answer.headers["set-cookie"]


def test_the_address_that_a_proxy_on_this_machine_names_is_the_one_recorded(make_pages, users):
    pages = make_pages(users)
    browser = pages.browser()
    token = browser.html("/login").token
    fields = {"csrf": token, "name": "anna", "password": "wrong"}
    browser.post("/login", fields, X_Forwarded_For="192.0.2.77")
    assert ("login", "anna", "192.0.2.77", "refused") in pages.auditor.events
