"""`spinenode fetch`: ask an archive for CTs and analyse them."""

from __future__ import annotations

import json
import sys
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from service.commands import fetch_options as options
from service.commands.options import AsJson, ConfigFile

if TYPE_CHECKING:
    from service.config import Config
    from service.fetch.order import Order, Runs
    from service.fetch.pace import Pace

BYTES_PER_MEGABYTE = 1_000_000
INTERRUPTED = 130


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("fetch")(fetch)


def fetch(  # noqa: PLR0913, PLR0917 - each is one thing that a user may say
    accession: options.Accession = None,
    study: options.Study = None,
    listed: options.Listed = None,
    first: options.First = None,
    last: options.Last = None,
    source: options.SourceName = None,
    description: options.Description = None,
    study_description: options.StudyDescription = None,
    modality: options.Modality = "CT",
    out: options.Out = None,
    group: options.Group = "",
    dry_run: options.DryRun = False,
    per_minute: options.PerMinute = None,
    megabytes_per_second: options.MegabytesPerSecond = None,
    hours: options.OpenHours = None,
    most_waiting: options.MostWaiting = 50,
    again: options.Again = False,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Ask an archive for CTs, fetch them and analyse them.

    The same command goes on where it was interrupted. Exit codes: 0 everything is done; 3 nothing
    was found that can be analysed; 4 the archive does not answer, or something is missing.
    """
    from service.audit import make_recorder  # noqa: PLC0415 - keeps --help quick
    from service.config_file import load_config  # noqa: PLC0415
    from service.errors import UsageError  # noqa: PLC0415
    from service.fetch.asked import asked_for, day_range  # noqa: PLC0415
    from service.fetch.candidates import Filters  # noqa: PLC0415
    from service.fetch.order import Order  # noqa: PLC0415
    from service.fetch.sources import find_source  # noqa: PLC0415

    settings = load_config(config)
    if group and out is None:
        raise UsageError("--group belongs to --out")
    if again and out is not None:
        raise UsageError("--again belongs to the running node; give another folder to --out")
    if modality not in settings.rules.modalities:
        raise UsageError(f"--modality {modality} is not in rules.modalities")
    days = day_range(first, last, date.today())
    order = Order(
        source=find_source(settings, source),
        asked=asked_for(accession or [], study or [], listed, days, group),
        filters=Filters(
            settings.rules, modality, tuple(description or ()), tuple(study_description or ())
        ),
        pace=_pace(per_minute, megabytes_per_second, hours),
        recorder=make_recorder(settings),
    )
    if dry_run:
        _show_plan(settings, order, out, as_json)
    elif out is not None:
        from service.fetch.into_folder import IntoFolder  # noqa: PLC0415

        _carry_out(IntoFolder(settings, out), order, as_json)
    else:
        from service.fetch.into_node import IntoNode  # noqa: PLC0415
        from service.fetch.known import nothing_known  # noqa: PLC0415

        known = nothing_known if again else None
        _carry_out(IntoNode(settings, most_waiting, known), order, as_json)


def _pace(per_minute: float | None, megabytes: float | None, hours: str | None) -> Pace:
    from service.fetch.pace import Pace, parse_hours  # noqa: PLC0415

    return Pace(
        series_per_minute=per_minute,
        bytes_per_second=megabytes * BYTES_PER_MEGABYTE if megabytes else None,
        hours=parse_hours(hours) if hours else None,
    )


def _show_plan(settings: Config, order: Order, out: Path | None, as_json: bool) -> None:
    """Print what would be fetched, and exit."""
    from service.fetch.display import shown_progress  # noqa: PLC0415
    from service.fetch.order import asking, make_plan  # noqa: PLC0415
    from service.fetch.preview import preview  # noqa: PLC0415

    with shown_progress() as watch, asking(order) as query:
        plan = make_plan(order, query, watch)
    shown = preview(settings, out, order.source.name, plan)
    for warning in plan.warnings:
        sys.stderr.write(f"spinenode: {warning}\n")
    sys.stdout.write((json.dumps(shown.to_json(), indent=2) if as_json else shown.text()) + "\n")
    raise typer.Exit(shown.exit_code())


def _carry_out(runs: Runs, order: Order, as_json: bool) -> None:
    """Fetch, say what became of it, and exit."""
    from service.fetch.display import shown_progress  # noqa: PLC0415

    try:
        with shown_progress() as watch:
            report = runs.run(order, watch)
    except KeyboardInterrupt:
        sys.stderr.write("spinenode: interrupted; the same command goes on where it ended\n")
        raise typer.Exit(INTERRUPTED) from None
    for problem in report.problems():
        sys.stderr.write(f"spinenode: {problem}\n")
    text = json.dumps(report.to_json(), indent=2) if as_json else "\n".join(report.lines())
    sys.stdout.write(text + "\n")
    raise typer.Exit(report.exit_code())
