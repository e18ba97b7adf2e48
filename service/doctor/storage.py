"""Account, spool, disk and database."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from service.config import Config
from service.doctor.result import CheckResult, failed, passed
from service.errors import ServiceError
from service.jobs import Jobs
from service.layout import jobs_folder

_GIB = 1024**3


def check_account(config: Config) -> CheckResult:
    """Root must not write into the spool of another user."""
    folder = config.node.spool
    if os.geteuid() == 0 and folder.is_dir() and folder.stat().st_uid != 0:
        owner = folder.stat().st_uid
        return failed(
            "account",
            f"{folder} belongs to user id {owner}, and this runs as root: files that root makes "
            "there could not be written by the service",
            "run it as that user: runuser -u USER -- spinenode check (the installed command "
            "/usr/local/bin/spinenode does so)",
        )
    return passed("account", f"user id {os.geteuid()}")


def check_spool(config: Config) -> CheckResult:
    """Write durably where images will be written."""
    folder = config.node.spool
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder) as probe:
            probe.write(b"spinenode")
            os.fsync(probe.fileno())
    except OSError as error:
        return failed(
            "spool",
            f"{folder}: {error.strerror}",
            "give the service's user write access, or set node.spool to a folder it owns (and "
            "run install-service again: the unit names the folders it may write)",
        )
    return passed("spool", f"{folder} is writable")


def check_disk(config: Config) -> CheckResult:
    """Compare the free disk with the watermark."""
    folder = _existing(config.node.spool)
    free_gib = shutil.disk_usage(folder).free / _GIB
    found = f"{free_gib:.1f} GiB free, {config.node.min_free_gib:g} GiB kept in reserve"
    if free_gib <= config.node.min_free_gib:
        return failed(
            "disk",
            f"{found}: images are refused with 0xA700",
            "free some disk, move node.spool to a larger one, or lower service.retention or "
            "node.min_free_gib",
        )
    return passed("disk", found)


def check_database(config: Config) -> CheckResult:
    """Open the queue and count its jobs."""
    kind = config.database_url.partition(":")[0]
    try:
        with Jobs(config.database_url, jobs_folder(config)) as jobs:
            counts = jobs.counts()
    except ServiceError as error:
        fix = "check that the server runs and that service.database has its host, name and user"
        if kind == "sqlite":
            fix = (
                "give the service's user write access to node.spool; if the file is damaged, stop "
                "the service and restore it (docs/installation.md, Go back)"
            )
        return failed("database", str(error), fix)
    return passed("database", f"{kind}, {sum(counts.values())} jobs")


def _existing(folder: Path) -> Path:
    return next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
