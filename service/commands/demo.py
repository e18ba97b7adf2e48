"""`spinenode demo`: the whole road on one machine."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from service.commands.options import ConfigFile
from service.exits import DONE, NOT_ANALYSABLE, UNEXPECTED


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("demo")(demo)


def demo(
    source: Annotated[
        Path | None,
        typer.Option(
            "--input", help="Folder of DICOM files; the built-in synthetic CT unless given."
        ),
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="Folder for the results.")] = Path(
        "demo-output"
    ),
    config: ConfigFile = None,
) -> None:
    """Send a CT scanner -> node -> archive over real DICOM associations on loopback."""
    from service.config_file import load_config  # noqa: PLC0415 - keeps --help quick
    from service.demo import run_demo  # noqa: PLC0415
    from service.errors import UsageError  # noqa: PLC0415
    from service.logs import set_up_logging  # noqa: PLC0415
    from service.tables import levels_table  # noqa: PLC0415

    if source is not None and not source.is_dir():
        raise UsageError(f"--input {source}: no such folder")
    set_up_logging("error")
    result = run_demo(source, out, load_config(config), _say)
    findings = result.findings
    if findings is None:
        sys.stderr.write(f"spinenode: job {result.job.state}: {result.job.problem}\n")
        raise typer.Exit(UNEXPECTED)
    for notice in (*findings.reasons, *findings.warnings):
        _say(f"note: {notice.code}: {notice.text}")
    if findings.vertebrae:
        sys.stdout.write("\n" + levels_table(findings) + "\n\n")
    sys.stdout.write(f"{result.archived} objects in the archive; files in {result.results}\n")
    sys.stdout.write("Research use only. Not for diagnosis.\n")
    delivered = all(d.state == "delivered" for d in result.job.deliveries)
    if not delivered:
        raise typer.Exit(UNEXPECTED)
    raise typer.Exit(DONE if findings.status == "analysed" else NOT_ANALYSABLE)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
