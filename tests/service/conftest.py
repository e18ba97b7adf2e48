"""A small synthetic spine CT, and the real service in a process of its own."""

import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
import yaml
from private_postgresql import postgresql_server, postgresql_url  # noqa: F401 - fixtures
from waiting import free_port, wait_for

from inference import VertebraLevel
from inference.phantom.dicom import write_phantom
from inference.phantom.spec import Fracture, PhantomSpec
from node import Destination, send_files
from service.jobs import Jobs


@pytest.fixture(scope="session")
def small_spec() -> PhantomSpec:
    return PhantomSpec(
        seed=3,
        levels=tuple(VertebraLevel[name] for name in ("L1", "L2", "L3", "L4", "L5")),
        fractures=(Fracture(VertebraLevel.L2, "wedge", 0.33),),
        spacing_xyz_mm=(1.5, 1.5, 2.5),
        field_of_view_mm=200.0,
    )


@pytest.fixture(scope="session")
def small_phantom(small_spec, tmp_path_factory) -> Path:
    """Folder of a phantom: dicom/, labels.nii.gz, bodies.nii.gz, truth.json."""
    folder = tmp_path_factory.mktemp("phantom")
    write_phantom(small_spec, folder)
    return folder


class RunningService:
    """`spinenode serve` in a process of its own."""

    def __init__(self, folder: Path, archive_port: int | None) -> None:
        self.folder = folder
        self.port = free_port()
        self.dashboard_port = free_port()
        self.config = folder / "config.yaml"
        destinations = []
        if archive_port is not None:
            destinations.append(
                {"name": "pacs", "ae_title": "ARCHIVE", "host": "127.0.0.1", "port": archive_port}
            )
        self.config.write_text(
            yaml.safe_dump(
                {
                    "node": {
                        "host": "127.0.0.1",
                        "port": self.port,
                        "spool": str(folder / "spool"),
                        "min_free_gib": 0.1,
                        "series": {"quiet_seconds": 0.5},
                    },
                    "service": {"dashboard": {"port": self.dashboard_port}},
                    "destinations": destinations,
                    "rules": {"min_instances": 1, "study_quiet_seconds": 0.2},
                }
            )
        )
        self.log = folder / "service.log"
        self.process: subprocess.Popen[bytes] | None = None

    wait_for = staticmethod(wait_for)

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "service", "serve", "--config", str(self.config)],
                stdout=log,
                stderr=log,
                cwd=self.folder,
            )
        wait_for(self.ready, "the service to be ready")

    def ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text()
        try:
            with urllib.request.urlopen(self.url("/health/ready"), timeout=2) as answer:
                return answer.status == 200
        except OSError:
            return False

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.dashboard_port}{path}"

    def get(self, path: str) -> str:
        with urllib.request.urlopen(self.url(path), timeout=10) as answer:
            return answer.read().decode()

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait(30)

    def terminate(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    def jobs(self):
        with Jobs(f"sqlite:///{self.folder / 'spool' / 'queue.sqlite'}", self.jobs_folder) as jobs:
            return jobs.recent()

    @property
    def jobs_folder(self) -> Path:
        return self.folder / "spool" / "jobs"

    def send(self, files: list[Path]) -> None:
        node = Destination("node", "SPINENODE", "127.0.0.1", self.port, calling_ae_title="CT")
        results = send_files(files, node)
        assert all(result.outcome in ("sent", "warning") for result in results)

    def wait_delivered(self, count: int = 1):
        """Wait until that many jobs ended and every delivery arrived."""

        def settled():
            jobs = self.jobs()
            done = [
                job
                for job in jobs
                if job.deliveries and all(d.state == "delivered" for d in job.deliveries)
            ]
            failed = [job for job in jobs if job.state == "failed"]
            assert not failed, failed
            return done if len(done) >= count else None

        return wait_for(settled, f"{count} delivered jobs")


@pytest.fixture(scope="module")
def make_service():
    """Configure a service in a folder; whatever still runs at the end is killed."""
    made: list[RunningService] = []

    def make(folder: Path, archive_port: int | None = None) -> RunningService:
        service = RunningService(folder, archive_port)
        made.append(service)
        return service

    yield make
    for service in made:
        if service.process is not None and service.process.poll() is None:
            service.kill()
