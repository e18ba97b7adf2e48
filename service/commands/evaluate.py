"""`spinenode evaluate`: how good the masks and gradings are."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from service.commands.options import ConfigFile, OutFolder


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("evaluate")(evaluate)


def evaluate(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Folder in VerSe layout: CTs, masks, centroids.")
    ],
    out: OutFolder,
    config: ConfigFile = None,
) -> None:
    """Compare masks, levels and gradings with the truth of a VerSe-layout folder."""
    from inference.evaluation import evaluate_folder  # noqa: PLC0415 - keeps --help quick
    from service.config_file import load_config  # noqa: PLC0415
    from service.progress import step_progress  # noqa: PLC0415
    from service.toolbox import configured_segmenter  # noqa: PLC0415

    settings = load_config(config)
    with step_progress() as progress:
        table = evaluate_folder(
            folder, out, configured_segmenter(settings), progress=lambda f: progress("evaluate", f)
        )
    sys.stdout.write(table + "\n")
