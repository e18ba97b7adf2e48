"""`spinenode demo`: scanner, node and archive on one machine, over real DICOM associations."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from inference.phantom.dicom import write_phantom
from inference.phantom.spec import demo_spec
from node import Destination
from node.archive import LoopbackArchive
from node.scu import send_files
from service.app import Service
from service.config import Config, DestinationConfig
from service.errors import ServiceError
from service.job_views import JobView
from service.layout import jobs_folder
from service.queue import DELIVERED
from service.workspace import Workspace
from sr_writer import Findings

Say = Callable[[str], None]

_LOOPBACK = "127.0.0.1"
_ARCHIVE_AE = "ARCHIVE"
_SCANNER_AE = "SCANNER"
_QUIET_SECONDS = 1.5
_POLL_SECONDS = 0.25
_PATIENCE_SECONDS = 1800.0
_ENDED = ("analysed", "not_analysable", "failed", "cancelled")


@dataclass(frozen=True)
class DemoResult:
    """What the round trip ended with; `archived` counts objects in the archive."""

    job: JobView
    findings: Findings | None
    results: Path
    archived: int


def run_demo(source: Path | None, out: Path, config: Config, say: Say) -> DemoResult:
    """Send a CT through the whole road and wait until the results are in the archive.

    Parameters
    ----------
    source
        Folder of DICOM files; None makes the built-in synthetic spine CT.
    out
        Gets ``results``, ``archive`` and, for the synthetic CT, ``phantom``.
    """
    out.mkdir(parents=True, exist_ok=True)
    for name in ("results", "archive"):
        shutil.rmtree(out / name, ignore_errors=True)
    if source is None:
        say("phantom: making a synthetic spine CT")
        write_phantom(demo_spec(), out / "phantom")
        source = out / "phantom" / "dicom"
    files = sorted(path for path in source.rglob("*") if path.is_file())
    if not files:
        raise ServiceError(f"{source}: the folder holds no files")
    with (
        tempfile.TemporaryDirectory(prefix="spinenode-demo-") as spool,
        _archive(out / "archive") as archive,
    ):
        settings = _demo_config(config, Path(spool), archive.port)
        service = Service(settings)
        say("node: starting")
        service.start()
        try:
            _scan(files, service.node.port, settings.node.ae_title, say)
            job = _wait(service, say)
        finally:
            service.stop()
        workspace = Workspace(jobs_folder(settings) / job.id)
        findings = None
        if workspace.results.is_dir():
            findings = workspace.findings()
            shutil.copytree(workspace.results, out / "results")
        return DemoResult(job, findings, out / "results", len(archive.stores))


@contextmanager
def _archive(folder: Path) -> Iterator[LoopbackArchive]:
    archive = LoopbackArchive(folder, ae_title=_ARCHIVE_AE)
    archive.start()
    try:
        yield archive
    finally:
        archive.stop()


def _demo_config(config: Config, spool: Path, archive_port: int) -> Config:
    node = config.node.model_copy(
        update={
            "host": _LOOPBACK,
            "port": 0,
            "spool": spool,
            "peers": (),
            "series": config.node.series.model_copy(update={"quiet_seconds": _QUIET_SECONDS}),
        }
    )
    dashboard = config.service.dashboard.model_copy(update={"host": _LOOPBACK, "port": 0})
    service = config.service.model_copy(update={"database": "", "dashboard": dashboard})
    destination = DestinationConfig(
        name="archive", ae_title=_ARCHIVE_AE, host=_LOOPBACK, port=archive_port
    )
    rules = config.rules.model_copy(
        update={"min_instances": 1, "study_quiet_seconds": _QUIET_SECONDS}
    )
    return config.model_copy(
        update={
            "node": node,
            "service": service,
            "destinations": (destination,),
            "rules": rules,
        }
    )


def _scan(files: list[Path], port: int, node_ae: str, say: Say) -> None:
    say(f"scanner: sending {len(files)} files over DICOM")
    node = Destination(
        name="node", ae_title=node_ae, host=_LOOPBACK, port=port, calling_ae_title=_SCANNER_AE
    )
    results = send_files(files, node)
    stored = [result for result in results if result.outcome in ("sent", "warning")]
    if not stored:
        comment = results[0].comment if results else "nothing to send"
        raise ServiceError(f"the node accepted none of {len(files)} files: {comment}")
    say(f"node: stored {len(stored)} images")


def _wait(service: Service, say: Say) -> JobView:
    """Wait for the first job and its deliveries; say each change of state."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    last = ""
    while time.monotonic() < deadline:
        for job in service.worker.jobs.recent():
            state = f"job {job.id}: {job.step or job.state}"
            if state != last:
                say(state)
                last = state
            if job.state in ("failed", "cancelled"):
                return job
            if job.state in _ENDED and _settled(job):
                for delivery in job.deliveries:
                    say(f"archive: {delivery.state}")
                return job
        for left_out in service.worker.jobs.left_out():
            raise ServiceError(f"the series is left out by {left_out.problem}")
        time.sleep(_POLL_SECONDS)
    raise ServiceError("the demo did not end in time")


def _settled(job: JobView) -> bool:
    return bool(job.deliveries) and all(
        delivery.state in (DELIVERED, "failed", "cancelled") for delivery in job.deliveries
    )
