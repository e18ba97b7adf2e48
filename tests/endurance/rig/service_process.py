"""`spinenode serve` or `spinenode worker` in a process of its own, made to be killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import yaml
from waiting import free_port, wait_for

from node import Destination
from service.jobs import Jobs

RIG = Path(__file__).parents[1]
PYTHONPATH = f"{RIG.parents[1]}:{RIG}"


class Installation:
    """One configuration with its spool and database; `serve` and `worker` processes share it.

    `overrides` are merged into the sections of the configuration.

    Attributes
    ----------
    program
        What `python -m` runs; `rig.hurried_service` with a speed shortens every pause.
    environment
        Variables of the processes, beside those of this one.
    """

    def __init__(
        self,
        folder: Path,
        archive_port: int | None,
        database: str = "",
        overrides: Mapping[str, Mapping[str, object]] | None = None,
        spool: Path | None = None,
    ) -> None:
        self.folder = folder
        self.program: tuple[str, ...] = ("service",)
        self.environment: dict[str, str] = {}
        self.spool = spool or folder / "spool"
        self.port, self.dashboard_port = free_port(), free_port()
        self.config = folder / "config.yaml"
        archive = {"name": "pacs", "ae_title": "ARCHIVE", "host": "127.0.0.1"}
        content: dict[str, Any] = {
            "node": {
                "host": "127.0.0.1",
                "port": self.port,
                "spool": str(self.spool),
                "min_free_gib": 0,
                "series": {"quiet_seconds": 1.0},
            },
            "inference": {"threads": 1},
            "service": {"database": database, "dashboard": {"port": self.dashboard_port}},
            "destinations": [] if archive_port is None else [{**archive, "port": archive_port}],
            "rules": {"min_instances": 1, "study_quiet_seconds": 0.2},
        }
        for section, values in (overrides or {}).items():
            content.setdefault(section, {}).update(values)
        self.config.write_text(yaml.safe_dump(content))
        self.database = database or f"sqlite:///{self.spool.absolute() / 'queue.sqlite'}"

    @property
    def node(self) -> Destination:
        return self.through(self.port)

    @staticmethod
    def through(port: int) -> Destination:
        """The node, reached by another port than its own."""
        return Destination("node", "SPINENODE", "127.0.0.1", port, calling_ae_title="CT")

    @property
    def jobs_folder(self) -> Path:
        return self.spool / "jobs"

    def jobs(self):
        """The queue as the command line sees it."""
        with Jobs(self.database, self.jobs_folder) as jobs:
            return jobs.recent(limit=10_000)

    def process(self, *arguments: str) -> ServiceProcess:
        return ServiceProcess(self, arguments or ("serve",))

    def get(self, path: str) -> tuple[int, str]:
        """Status and text of a page of the dashboard port."""
        url = f"http://127.0.0.1:{self.dashboard_port}{path}"
        try:
            with urllib.request.urlopen(url, timeout=30) as answer:
                return int(answer.status), answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def reasons(self) -> dict[str, str]:
        """What `/health/ready` complains about; empty when it answers 200."""
        status, text = self.get("/health/ready")
        reasons: dict[str, str] = json.loads(text)["reasons"]
        assert (status == 200) == (not reasons)
        return reasons

    def metric(self, line_start: str) -> float:
        """Value of the first sample that starts so; 0 if there is none."""
        for line in self.get("/metrics")[1].splitlines():
            if line.startswith(line_start):
                return float(line.rsplit(" ", 1)[1])
        return 0.0


class ServiceProcess:
    """One process of an installation."""

    def __init__(self, installation: Installation, arguments: Sequence[str]) -> None:
        self.installation = installation
        self.arguments = tuple(arguments)
        self.log = installation.folder / f"{'-'.join(self.arguments).strip('-')}.log"
        self.process: subprocess.Popen[bytes] | None = None

    def launch(self) -> None:
        """Start without waiting."""
        installation = self.installation
        command = [sys.executable, "-m", *installation.program, *self.arguments]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--config", str(installation.config)],
                stdout=log,
                stderr=log,
                cwd=installation.folder,
                env={
                    **os.environ,
                    "OMP_NUM_THREADS": "1",
                    "PYTHONPATH": PYTHONPATH,
                    **installation.environment,
                },
            )

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.is_alive():
            self.kill()

    def start(self) -> None:
        """Start, and wait until the dashboard answers that all is well."""
        self.launch()
        wait_for(self.is_ready, "the service to be ready")

    def is_alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def is_ready(self) -> bool:
        assert self.is_alive(), self.log.read_text(errors="replace")[-4000:]
        try:
            return not self.installation.reasons()
        except OSError:
            return False

    def kill(self) -> None:
        """`kill -9`, and reap."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(30)

    def terminate(self) -> int:
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(90)
