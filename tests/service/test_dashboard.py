"""The dashboard port over real HTTP."""

import base64
import json
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from service.dashboard.pages import DashboardSources, dashboard_app
from service.dashboard.passwords import hash_password, verify_password
from service.errors import ServiceError
from service.jobs import Jobs
from service.metrics import Metrics
from service.web import WebServer


@pytest.fixture
def problems():
    return {}


@pytest.fixture
def serve(tmp_path, problems):
    """Start the pages over an empty queue; return a function that GETs a path."""
    jobs = Jobs(f"sqlite:///{tmp_path / 'queue.sqlite'}", tmp_path)
    metrics = Metrics(jobs.counts, tmp_path)
    servers = []

    def start(users=None):
        sources = DashboardSources(
            jobs=jobs,
            problems=lambda: dict(problems),
            results_folder=lambda job_id: tmp_path / job_id / "results",
            exposition=metrics.exposition,
            node_name="TESTNODE",
        )
        server = WebServer(dashboard_app(sources, users or {}), "127.0.0.1", 0)
        server.start()
        servers.append(server)

        def get(path, password=None):
            request = urllib.request.Request(f"http://127.0.0.1:{server.port}{path}")
            if password:
                token = base64.b64encode(f"anna:{password}".encode()).decode()
                request.add_header("Authorization", f"Basic {token}")
            try:
                with urllib.request.urlopen(request, timeout=10) as answer:
                    return answer.status, answer.read().decode()
            except urllib.error.HTTPError as error:
                return error.code, error.read().decode()

        return get

    yield start
    for server in servers:
        server.stop()
    jobs.close()


def test_live_and_ready_answer_200_when_all_is_well(serve):
    get = serve()
    assert get("/health/live")[0] == 200
    status, text = get("/health/ready")
    assert (status, json.loads(text)) == (200, {"status": "ready", "reasons": {}})


def test_ready_answers_503_with_reasons(serve, problems):
    problems["disk"] = "full"
    status, text = serve()("/health/ready")
    assert status == 503
    assert json.loads(text)["reasons"] == {"disk": "full"}


def test_the_queue_page_names_the_node_and_what_is_wrong(serve, problems):
    problems["listener"] = "not listening <now>"
    status, page = serve()("/")
    assert status == 200
    assert "TESTNODE" in page
    assert "not listening &lt;now&gt;" in page


def test_an_unknown_job_is_a_404_page(serve):
    status, page = serve()("/jobs/nothing")
    assert status == 404
    assert "no job" in page


@pytest.mark.parametrize("path", ["/jobs/..%2f..%2fetc/report.pdf", "/static/../pages.py"])
def test_no_path_leads_outside(serve, path):
    assert serve()(path)[0] == 404


def test_metrics_are_prometheus_text(serve):
    status, text = serve()("/metrics")
    assert status == 200
    assert "spinenode_up 1.0" in text
    assert "spinenode_spool_free_bytes" in text


def test_pages_load_nothing_from_other_hosts():
    templates = Path(__file__).parents[2] / "service" / "dashboard" / "templates"
    for path in templates.glob("*.html"):
        assert "http://" not in path.read_text()
        assert "https://" not in path.read_text()


def test_with_users_pages_need_the_password_and_health_does_not(serve):
    get = serve({"anna": hash_password("correct")})
    assert get("/")[0] == 401
    assert get("/metrics")[0] == 401
    assert get("/", password="wrong")[0] == 401
    assert get("/", password="correct")[0] == 200
    assert get("/health/ready")[0] == 200


def test_hashes_are_salted_and_only_verify_their_password():
    first, second = hash_password("secret"), hash_password("secret")
    assert first != second
    assert verify_password("secret", first)
    assert not verify_password("Secret", first)
    assert not verify_password("secret", "plain text")
    assert not verify_password("secret", "scrypt$***$***")


def test_a_port_in_use_is_named(serve, tmp_path):
    first = WebServer(dashboard_app_of_nothing(tmp_path), "127.0.0.1", 0)
    first.start()
    try:
        blocked = WebServer(dashboard_app_of_nothing(tmp_path), "127.0.0.1", first.port)
        with pytest.raises(ServiceError, match=str(first.port)):
            blocked.start()
    finally:
        first.stop()


def dashboard_app_of_nothing(folder):
    jobs = Jobs(f"sqlite:///{folder / 'other.sqlite'}", folder)
    sources = DashboardSources(jobs, dict, lambda _: folder, lambda: b"", "X")
    return dashboard_app(sources, {})
