"""The pages on a free port, over a queue that a test fills."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from plain_browser import Browser, quick_hash
from queue_rows import QueueRows
from starlette.applications import Starlette
from tls_files import tls_files  # noqa: F401 - a fixture

from node import DeliveryState, NodeStatus
from service.config import Config
from service.dashboard.board import Board
from service.dashboard.pages import dashboard_app
from service.dashboard.sources import DashboardSources
from service.dashboard.workers import SignOfLife
from service.jobs import Jobs
from service.layout import jobs_folder
from service.metrics import Metrics
from service.offline import analyze_path
from service.series_register import RegisteredSeries
from service.web import WebServer


@dataclass
class RecordingAuditor:
    """Keeps what it is told."""

    events: list[tuple[str, ...]] = field(default_factory=list)

    def audit_access(self, user: str, job_id: str, what: str) -> None:
        self.events.append(("access", user, job_id, what))

    def audit_action(self, user: str, job_id: str, what: str) -> None:
        self.events.append(("action", user, job_id, what))

    def audit_login(self, user: str, address: str, what: str) -> None:
        self.events.append(("login", user, address, what))

    def audit_denied(self, user: str, path: str, why: str) -> None:
        self.events.append(("denied", user, path, why))


@dataclass
class Pages:
    """The running pages and what is behind them."""

    config: Config
    app: Starlette
    server: WebServer
    jobs: Jobs
    board: Board
    auditor: RecordingAuditor
    problems: dict[str, str]
    notices: dict[str, str]
    left_out: list[RegisteredSeries]
    waiting: list[RegisteredSeries]
    workers: list[SignOfLife]
    object_states: dict[tuple[str, str], DeliveryState]

    def browser(self) -> Browser:
        return Browser(self.server.port)

    def logged_in(self, name: str) -> Browser:
        browser = self.browser()
        answer = browser.log_in(name)
        assert answer.status == 303, answer.text
        return browser

    def folder(self, job_id: str) -> Path:
        folder = jobs_folder(self.config) / job_id
        folder.mkdir(parents=True, exist_ok=True)
        return folder


STATUS = NodeStatus(
    listening=True,
    port=11112,
    open_associations=2,
    open_series=1,
    failing_hand_overs=0,
    free_bytes=10 * 1024**3,
    has_room=True,
)


@pytest.fixture(scope="session")
def empty_queue(tmp_path_factory) -> Path:
    """A queue with its tables: making them takes longer than most tests."""
    path = tmp_path_factory.mktemp("queue") / "queue.sqlite"
    Jobs(f"sqlite:///{path}", path.parent).close()
    return path


@pytest.fixture
def make_pages(tmp_path, empty_queue):
    """Start the pages with users and other settings of `service.dashboard`."""
    started: list[Pages] = []

    def make(users: dict | None = None, destinations: tuple = (), peers: tuple = (), **dashboard):
        dashboard = {"host": "127.0.0.1", "port": 0, "users": users or {}, **dashboard}
        config = Config(
            node={"spool": tmp_path / "spool", "peers": peers},
            service={"dashboard": dashboard},
            destinations=destinations,
        )
        config.node.spool.mkdir(exist_ok=True)
        shutil.copy(empty_queue, config.node.spool / "queue.sqlite")
        jobs, board = Jobs(config.database_url, jobs_folder(config)), Board(config.database_url)
        auditor, problems, notices = RecordingAuditor(), {}, {}
        left_out, waiting, workers = [], [], [SignOfLife("host-a", "host-a", 0.0)]
        object_states = {}
        sources = DashboardSources(
            config=lambda: pages.config,
            jobs=jobs,
            board=board,
            problems=lambda: dict(problems),
            notices=lambda: dict(notices),
            exposition=Metrics(jobs.counts, tmp_path).exposition,
            node_status=lambda: STATUS,
            left_out=lambda: tuple(left_out),
            waiting=lambda: tuple(waiting),
            workers=lambda: tuple(workers),
            object_state=lambda name, uid: object_states.get((name, uid)),
            auditor=auditor,
        )
        app = dashboard_app(sources)
        server = WebServer(app, config.service.dashboard)
        pages = Pages(
            config,
            app,
            server,
            jobs,
            board,
            auditor,
            problems,
            notices,
            left_out,
            waiting,
            workers,
            object_states,
        )
        server.start()
        started.append(pages)
        return pages

    yield make
    for pages in started:
        pages.server.stop()
        pages.board.close()
        pages.jobs.close()


@pytest.fixture
def users() -> dict:
    """An operator who may see patients, one who may not, and a viewer."""
    return {
        "anna": {"password": quick_hash(), "sees_identifiers": True},
        "otto": quick_hash(),
        "vera": {"password": quick_hash(), "role": "viewer"},
    }


@pytest.fixture
def queue_rows(tmp_path):
    """Put rows into the queue's tables as the workers would leave them."""
    return QueueRows(tmp_path / "spool" / "queue.sqlite")


@pytest.fixture(scope="session")
def analysed(small_phantom, tmp_path_factory) -> Path:
    """Results of the phantom with its wedge of L2, from its exact masks."""
    folder = tmp_path_factory.mktemp("analysed")
    analyze_path(small_phantom / "dicom", folder, Config(), small_phantom / "labels.nii.gz")
    return folder
