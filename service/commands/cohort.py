"""`spinenode cohort`: the statistics of the texture paper."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from service.commands.options import OutFolder


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("cohort")(cohort)


def cohort(
    csv: Annotated[
        Path,
        typer.Argument(metavar="CSV", help="features.csv rows joined with group, age and sex."),
    ],
    out: OutFolder,
) -> None:
    """Adjusted means, odds ratios and plots per texture feature."""
    from texture.cohort import run_cohort  # noqa: PLC0415 - keeps --help quick

    run_cohort(csv, out)
    sys.stdout.write(f"cohort statistics in {out}\n")
