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
        typer.Argument(
            metavar="CSV", help="features.csv rows joined with group, age, sex and patient_id."
        ),
    ],
    out: OutFolder,
    groups: Annotated[
        str, typer.Option(metavar="REFERENCE,COMPARED", help="Groups as the CSV names them.")
    ] = "benign,malignant",
    covariance: Annotated[
        str,
        typer.Option(metavar="pooled|hc3|cluster", help="cluster: by column patient_id."),
    ] = "pooled",
    primary: Annotated[
        str, typer.Option(metavar="FEATURE,...", help="Primary features; the rest is exploratory.")
    ] = "energy",
    models: Annotated[
        str, typer.Option(metavar="linear,logistic", help="Models to fit.")
    ] = "linear,logistic",
) -> None:
    """Adjusted means, odds ratios and plots per texture feature."""
    from service.errors import UsageError  # noqa: PLC0415 - keeps --help quick
    from texture.cohort import CohortOptions, run_cohort  # noqa: PLC0415

    names = _names(groups)
    if len(names) != 2:
        raise UsageError(f"--groups {groups!r}: expected two names, such as benign,malignant")
    options = CohortOptions(
        groups=(names[0], names[1]),
        primary=_names(primary),
        covariance=covariance,  # type: ignore[arg-type]  # checked by CohortOptions
        models=_names(models),
    )
    run_cohort(csv, out, options)
    sys.stdout.write((out / "table2.md").read_text(encoding="utf-8"))
    sys.stdout.write(f"cohort statistics in {out}\n")


def _names(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())
