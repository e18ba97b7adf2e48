"""`spinenode serve` and `spinenode worker`."""

from __future__ import annotations

import socket
from typing import Annotated

import typer

from service.commands.options import ConfigFile


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("serve")(serve)
    app.command("worker")(worker)


def serve(config: ConfigFile = None) -> None:
    """Run the node: DICOM listener, workers, dashboard and metrics in one service."""
    from service.app import Service  # noqa: PLC0415 - keeps --help quick
    from service.config_file import load_config  # noqa: PLC0415
    from service.daemon import run_until_signal  # noqa: PLC0415
    from service.logs import set_up_logging  # noqa: PLC0415

    settings = load_config(config)
    set_up_logging(settings.service.log_level)
    run_until_signal(Service(settings))


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
    from service.daemon import run_until_signal  # noqa: PLC0415
    from service.errors import UsageError  # noqa: PLC0415
    from service.logs import set_up_logging  # noqa: PLC0415

    settings = load_config(config)
    if not settings.database_url.startswith("postgresql"):
        raise UsageError(
            "spinenode worker needs service.database: postgresql://...; the SQLite queue "
            "belongs to one process"
        )
    set_up_logging(settings.service.log_level)
    run_until_signal(Worker(settings, name or f"{socket.gethostname()}-worker"))
