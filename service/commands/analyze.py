"""`spinenode analyze`: one series without network."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from service.commands.options import ConfigFile, OutFolder
from service.exits import DONE, NOT_ANALYSABLE


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("analyze")(analyze)


def analyze(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="INPUT",
            help="Folder of DICOM files, one multi-frame DICOM file, or a CT .nii.gz.",
        ),
    ],
    out: OutFolder,
    config: ConfigFile = None,
    segmentation: Annotated[
        Path | None,
        typer.Option(
            "--segmentation",
            metavar="MASK.nii.gz",
            help="Vertebra mask in VerSe labels on INPUT's grid; replaces the network.",
        ),
    ] = None,
) -> None:
    """Analyse one series and write masks, findings, tables, DICOM objects and pictures."""
    from service.config_file import load_config  # noqa: PLC0415 - keeps --help quick
    from service.offline import analyze_path  # noqa: PLC0415
    from service.progress import step_progress  # noqa: PLC0415
    from service.tables import levels_table  # noqa: PLC0415

    settings = load_config(config)
    with step_progress() as progress:
        findings = analyze_path(source, out, settings, mask=segmentation, progress=progress)
    if findings.status == "analysed":
        sys.stdout.write(levels_table(findings) + "\n")
        sys.stdout.write(f"results in {out}\n")
        raise typer.Exit(DONE)
    for reason in findings.reasons:
        sys.stderr.write(f"spinenode: not analysable: {reason.code}: {reason.text}\n")
    raise typer.Exit(NOT_ANALYSABLE)
