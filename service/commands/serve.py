"""`spinenode serve` and `spinenode worker`."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from service.commands.options import ConfigFile

if TYPE_CHECKING:
    from service.app import Service, Worker
    from service.config import Config


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("serve")(serve)
    app.command("worker")(worker)


def serve(config: ConfigFile = None) -> None:
    """Run the node: DICOM listener, workers, dashboard and metrics in one service."""
    from service.app import Service  # noqa: PLC0415 - keeps --help quick
    from service.config_file import load_config  # noqa: PLC0415
    from service.logs import set_up_logging  # noqa: PLC0415

    settings = load_config(config)
    set_up_logging(settings.service.log_level)
    _run(Service(settings), config)


def worker(
    config: ConfigFile = None,
    name: Annotated[
        str,
        typer.Option("--name", help="Stable name, where several run on one host."),
    ] = "",
) -> None:
    """Run one more worker on the same PostgreSQL and spool."""
    from service.app import Worker  # noqa: PLC0415
    from service.config_file import load_config  # noqa: PLC0415
    from service.errors import UsageError  # noqa: PLC0415
    from service.logs import set_up_logging  # noqa: PLC0415

    settings = load_config(config)
    if not settings.database_url.startswith("postgresql"):
        raise UsageError(
            "spinenode worker needs service.database: postgresql://...; the SQLite queue "
            "belongs to one process"
        )
    set_up_logging(settings.service.log_level)
    _run(Worker(settings, name or f"{socket.gethostname()}-worker"), config)


def _run(runnable: Service | Worker, file: Path | None) -> None:
    """Run until told to stop; SIGHUP reads `file` again."""
    from service.config_file import load_config  # noqa: PLC0415
    from service.daemon import end_process, run_until_signal  # noqa: PLC0415
    from service.logs import set_level  # noqa: PLC0415
    from service.reload import Reloader  # noqa: PLC0415

    def follow(config: Config) -> None:
        set_level(config.service.log_level)
        runnable.follow(config)

    run_until_signal(runnable, Reloader(runnable.config, lambda: load_config(file), follow))
    end_process()
