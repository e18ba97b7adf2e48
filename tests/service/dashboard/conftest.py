"""The pages on a free port over a queue that a test fills, and a small browser without a screen."""

from __future__ import annotations

import base64
import hashlib
import http.client
import re
import threading
import time
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from urllib.parse import urlencode

import pytest

from node import NodeStatus
from service.config import Config
from service.dashboard.board import Board
from service.dashboard.pages import dashboard_app
from service.dashboard.sources import DashboardSources
from service.dashboard.workers import SignOfLife
from service.jobs import Jobs
from service.layout import jobs_folder
from service.metrics import Metrics
from service.series_register import RegisteredSeries
from service.web import WebServer

PASSWORD = "correct horse"


@cache
def quick_hash(password: str = PASSWORD) -> str:
    """A hash that is valid and takes no time."""
    salt = b"0123456789abcdef"
    digest = hashlib.scrypt(password.encode(), salt=salt, n=2**10, r=8, p=1)
    encoded = "$".join(base64.b64encode(part).decode() for part in (salt, digest))
    return f"scrypt$ln=10,r=8,p=1${encoded}"


@dataclass
class Answer:
    """What the server said."""

    status: int
    headers: dict[str, str]
    text: str
    body: bytes

    @property
    def token(self) -> str:
        """The token in the forms of the page."""
        found = re.search(r'name="csrf" value="([0-9a-f]+)"', self.text)
        assert found, self.text
        return found[1]


@dataclass
class Browser:
    """Keeps a cookie, sends forms as a browser does."""

    port: int
    cookie: str = ""
    last: Answer | None = None

    def get(self, path: str, **headers: str) -> Answer:
        return self._ask("GET", path, headers)

    def post(self, path: str, fields: dict[str, str], **headers: str) -> Answer:
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        return self._ask("POST", path, {**kind, **headers}, urlencode(fields))

    def submit(self, path: str, page: str = "/", **fields: str) -> Answer:
        """Post a form with the token of a page."""
        return self.post(path, {"csrf": self.html(page).token, **fields})

    def html(self, path: str) -> Answer:
        return self.get(path, Accept="text/html")

    def log_in(self, name: str, password: str = PASSWORD) -> Answer:
        return self.submit("/login", page="/login", name=name, password=password)

    def _ask(self, method: str, path: str, headers: dict[str, str], body: str = "") -> Answer:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.cookie:
            sent.setdefault("Cookie", self.cookie)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request(method, path, body or None, sent)
        raw = connection.getresponse()
        content = raw.read()
        answer = Answer(
            raw.status,
            {name.lower(): value for name, value in raw.getheaders()},
            content.decode(errors="replace"),
            content,
        )
        connection.close()
        if "set-cookie" in answer.headers:
            self.cookie = answer.headers["set-cookie"].partition(";")[0]
        return answer


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
    server: WebServer
    jobs: Jobs
    board: Board
    auditor: RecordingAuditor
    problems: dict[str, str]
    left_out: list[RegisteredSeries]
    waiting: list[RegisteredSeries]
    workers: list[SignOfLife]

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


@pytest.fixture
def make_pages(tmp_path):
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
        jobs, board = Jobs(config.database_url, jobs_folder(config)), Board(config.database_url)
        auditor, problems = RecordingAuditor(), {}
        left_out, waiting, workers = [], [], [SignOfLife("host-a", "host-a", 0.0)]
        sources = DashboardSources(
            config=lambda: pages.config,
            jobs=jobs,
            board=board,
            problems=lambda: dict(problems),
            exposition=Metrics(jobs.counts, tmp_path).exposition,
            node_status=lambda: STATUS,
            left_out=lambda: tuple(left_out),
            waiting=lambda: tuple(waiting),
            workers=lambda: tuple(workers),
            auditor=auditor,
        )
        server = WebServer(dashboard_app(sources), config.service.dashboard)
        pages = Pages(config, server, jobs, board, auditor, problems, left_out, waiting, workers)
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


class QueueRows:
    """Writes jobs in any state, without a worker that could change them meanwhile."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()

    def add(
        self, job_id: str, status: str = "SUCCESS", output: str = "analysed", **columns
    ) -> None:
        """One analysis."""
        self._insert(job_id, "analyse_series", "analysis", status, output, columns)

    def add_delivery(
        self, job_id: str, destination: str, status: str = "SUCCESS", **columns
    ) -> None:
        """One delivery."""
        name = f"{job_id}@{destination}"
        self._insert(name, "deliver_results", "delivery", status, "delivered", columns)

    def add_step(self, workflow_id: str, number: int, name: str, seconds: float = 1.0, output=None):
        """One step that ended."""
        import sqlite3

        started = int(time.time() * 1000) - 60_000 + 1000 * number
        with self._lock, sqlite3.connect(self._path) as db:
            db.execute(
                "INSERT INTO operation_outputs (workflow_uuid, function_id, function_name, output,"
                " started_at_epoch_ms, completed_at_epoch_ms) VALUES (?,?,?,?,?,?)",
                (workflow_id, number, name, _serialized(output), started,
                 started + int(1000 * seconds)),
            )  # fmt: skip

    def _insert(self, workflow_id, name, queue, status, output, columns) -> None:
        import sqlite3

        now = int(time.time() * 1000)
        ended = status in ("SUCCESS", "ERROR", "CANCELLED")
        row = {
            "workflow_uuid": workflow_id,
            "status": status,
            "name": name,
            "output": _serialized(output) if status == "SUCCESS" else None,
            "error": _serialized(ValueError("the disk is full")) if status == "ERROR" else None,
            "executor_id": None if status == "ENQUEUED" else "host-a",
            "created_at": now - 60_000,
            "updated_at": now,
            "application_version": "1",
            "queue_name": queue,
            "priority": 10,
            "started_at_epoch_ms": None if status == "ENQUEUED" else now - 50_000,
            "completed_at": now if ended else None,
            **columns,
        }
        marks = ",".join("?" * len(row))
        with self._lock, sqlite3.connect(self._path) as db:
            db.execute(
                f"INSERT INTO workflow_status ({','.join(row)}) VALUES ({marks})",
                tuple(row.values()),
            )


def _serialized(value: object) -> str:
    from dbos._serialization import DefaultSerializer

    return DefaultSerializer().serialize(value)
