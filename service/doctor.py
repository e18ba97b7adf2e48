"""`spinenode check`: every failed check names its fix."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from inference import ModelUnavailable
from node import NodeError, WebDestination
from node.scu import echo
from service.config import Config
from service.destinations import node_destination
from service.errors import ServiceError
from service.jobs import Jobs
from service.layout import jobs_folder
from service.toolbox import configured_segmenter

_GIB = 1024**3


@dataclass(frozen=True)
class CheckResult:
    """One check; `fix` says what to do when it failed."""

    name: str
    ok: bool
    found: str
    fix: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    def line(self) -> str:
        """One line for a terminal."""
        if self.ok:
            return f"ok    {self.name:<12} {self.found}"
        return f"FAIL  {self.name:<12} {self.found}. Fix: {self.fix}"


def examine(config: Config) -> list[CheckResult]:
    """Run every check that needs no network."""
    checks: tuple[Callable[[Config], CheckResult], ...] = (
        _configuration,
        _spool,
        _disk,
        _database,
        _model,
    )
    return [check(config) for check in checks]


def examine_destinations(config: Config) -> list[CheckResult]:
    """C-ECHO every destination."""
    if not config.destinations:
        return [CheckResult("destinations", True, "none configured: results stay in the spool")]
    return [_echo(config, index) for index in range(len(config.destinations))]


def _configuration(config: Config) -> CheckResult:
    peers = f"{len(config.node.peers)} peers" if config.node.peers else "any calling AE admitted"
    return CheckResult(
        "config",
        True,
        f"{config.node.ae_title} on {config.node.host}:{config.node.port}, {peers}, "
        f"{len(config.destinations)} destinations",
    )


def _spool(config: Config) -> CheckResult:
    folder = config.node.spool
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder) as probe:
            probe.write(b"spinenode")
            os.fsync(probe.fileno())
    except OSError as error:
        return CheckResult(
            "spool",
            False,
            f"{folder}: {error.strerror}",
            "give the service's user write access, or set node.spool to a folder it owns",
        )
    return CheckResult("spool", True, f"{folder} is writable")


def _disk(config: Config) -> CheckResult:
    folder = _existing(config.node.spool)
    free_gib = shutil.disk_usage(folder).free / _GIB
    found = f"{free_gib:.1f} GiB free, {config.node.min_free_gib:g} GiB kept in reserve"
    if free_gib <= config.node.min_free_gib:
        return CheckResult(
            "disk", False, found, "free some disk, or lower node.min_free_gib or service.retention"
        )
    return CheckResult("disk", True, found)


def _existing(folder: Path) -> Path:
    return next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())


def _database(config: Config) -> CheckResult:
    kind = config.database_url.partition(":")[0]
    try:
        with Jobs(config.database_url, jobs_folder(config)) as jobs:
            counts = jobs.counts()
    except ServiceError as error:
        return CheckResult(
            "database", False, str(error), "check service.database and that the server is running"
        )
    return CheckResult("database", True, f"{kind}, {sum(counts.values())} jobs")


def _model(config: Config) -> CheckResult:
    try:
        identity = configured_segmenter(config).identity
    except ModelUnavailable as error:
        return CheckResult(
            "model", False, str(error), "reinstall the package, or correct inference.weights"
        )
    return CheckResult(
        "model",
        True,
        f"{identity.name} {identity.version}, sha256 {identity.sha256[:12]}, "
        f"device {config.inference.device}",
    )


def _echo(config: Config, index: int) -> CheckResult:
    destination = config.destinations[index]
    name = f"echo {destination.name}"
    target = node_destination(config, destination.name)
    if isinstance(target, WebDestination):
        return CheckResult(name, True, f"{target.dicomweb_url}: DICOMweb, C-ECHO does not apply")
    address = f"{target.ae_title} at {target.host}:{target.port}"
    try:
        echo(target)
    except NodeError as error:
        return CheckResult(
            name,
            False,
            f"{address}: {error}",
            "check address, port and AE titles on both sides, and that the archive knows "
            f"{config.node.ae_title}",
        )
    return CheckResult(name, True, f"{address} answers")
