"""The dashboard port over real HTTP: health, metrics, errors, addresses."""

import json
from pathlib import Path

import pytest
import yaml

from service.config import DashboardConfig
from service.dashboard.passwords import hash_password, verify_password
from service.errors import ServiceError
from service.web import WebServer

TEMPLATES = Path(__file__).parents[3] / "service" / "dashboard"


def test_live_and_ready_answer_200_when_all_is_well(make_pages):
    browser = make_pages().browser()
    assert browser.get("/health/live").status == 200
    answer = browser.get("/health/ready")
    assert answer.status == 200
    assert json.loads(answer.text) == {"status": "ready", "reasons": {}}


def test_ready_answers_503_with_reasons(make_pages):
    pages = make_pages()
    pages.problems["disk"] = "full"
    answer = pages.browser().get("/health/ready")
    assert answer.status == 503
    assert json.loads(answer.text)["reasons"] == {"disk": "full"}


def test_an_archive_that_is_down_is_told_without_calling_the_node_unready(make_pages):
    pages = make_pages()
    pages.notices["delivery to pacs"] = "not possible for 7 min"
    answer = pages.browser().get("/health/ready")
    assert answer.status == 200
    assert json.loads(answer.text)["notices"] == {"delivery to pacs": "not possible for 7 min"}
    for path in ("/", "/systems"):
        assert "not possible for 7 min" in pages.browser().html(path).text


def test_health_needs_no_login(make_pages, users):
    browser = make_pages(users).browser()
    assert browser.get("/health/live").status == 200
    assert browser.get("/health/ready").status == 200


def test_metrics_are_prometheus_text(make_pages):
    answer = make_pages().browser().get("/metrics")
    assert answer.status == 200
    assert "spinenode_up 1.0" in answer.text
    assert "spinenode_spool_free_bytes" in answer.text


def test_an_unknown_job_is_a_404_page(make_pages):
    answer = make_pages().browser().get("/jobs/0123456789abcdef")
    assert answer.status == 404
    assert "no job" in answer.text


@pytest.mark.parametrize(
    "path",
    [
        "/jobs/..%2f..%2fetc/report.pdf",
        "/static/../pages.py",
        "/jobs/..",
        "/jobs/a/pictures/..%2f..%2frequest.json",
        "/jobs/a/pictures/findings.json",
        "/nothing",
    ],
)
def test_no_path_leads_outside(make_pages, path):
    assert make_pages().browser().get(path).status == 404


def test_pages_load_nothing_from_other_hosts():
    for path in TEMPLATES.rglob("*"):
        if path.suffix in (".html", ".css", ".js") and path.name != "htmx.min.js":
            assert "http://" not in path.read_text()
            assert "https://" not in path.read_text()


def test_every_answer_carries_the_security_headers(make_pages, users):
    browser = make_pages(users).browser()
    for path in ("/", "/login", "/health/live", "/static/style.css", "/nothing", "/metrics"):
        headers = browser.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert "server" not in headers
        assert headers["cache-control"] == (
            "no-cache" if path.startswith("/static/") else "no-store"
        )


def test_hashes_are_salted_and_only_verify_their_password():
    first, second = hash_password("secret"), hash_password("secret")
    assert first != second
    assert verify_password("secret", first)
    assert not verify_password("Secret", first)
    assert not verify_password("secret", "plain text")
    assert not verify_password("secret", "scrypt$***$***")


def test_a_hash_needs_no_quotes_in_the_short_form_of_a_mapping():
    text = f"{{anna: {{password: {hash_password('secret')}, role: viewer}}}}"
    users = DashboardConfig(users=yaml.safe_load(text)).users
    assert verify_password("secret", users["anna"].password)


def test_hashes_of_the_first_version_still_verify():
    old = "scrypt$AAECAwQFBgcICQoLDA0ODw==$" + (
        "lUTkiXnaPIlt+39/W8AV+zIOgQ+DcviNZtmSHaWiqmXAMYNKE+22ozKfQy8yMCehma58f2fHHhRPgUKyD3ZhEQ=="
    )
    assert not verify_password("wrong", old)
    assert verify_password("secret", old)


def test_a_port_in_use_is_named(make_pages):
    pages = make_pages()
    taken = DashboardConfig(host="127.0.0.1", port=pages.server.port)
    with pytest.raises(ServiceError, match=str(pages.server.port)):
        WebServer(pages_without_content, taken).start()


async def pages_without_content(scope, receive, send):
    raise AssertionError("never asked")


def test_an_unusable_certificate_is_an_error_that_names_the_keys(tmp_path):
    (tmp_path / "cert.pem").write_text("no certificate")
    (tmp_path / "key.pem").write_text("no key")
    settings = DashboardConfig(port=0, tls_cert=tmp_path / "cert.pem", tls_key=tmp_path / "key.pem")
    with pytest.raises(ServiceError, match="tls_cert and tls_key"):
        WebServer(pages_without_content, settings).start()
