"""`spinenode jobs`: the queue."""

from __future__ import annotations

import json
import logging
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from service.commands.options import AsJson, ConfigFile

if TYPE_CHECKING:
    from service.jobs import Jobs

JobId = Annotated[str, typer.Argument(metavar="ID", help="Job id, as in 'spinenode jobs list'.")]


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(help="Look at the queue and steer it.", no_args_is_help=True)
    group.command("list")(list_jobs)
    group.command("show")(show)
    group.command("retry")(retry)
    group.command("cancel")(cancel)
    app.add_typer(group, name="jobs")


def list_jobs(config: ConfigFile = None, as_json: AsJson = False) -> None:
    """List the jobs, newest first, and the series that were left out with the reason."""
    from service.tables import jobs_table  # noqa: PLC0415 - keeps --help quick

    with _jobs(config) as jobs:
        views = jobs.recent() + jobs.left_out()
        waiting = jobs.waiting()
    if as_json:
        sys.stdout.write(json.dumps([view.to_json() for view in views], indent=2) + "\n")
    else:
        sys.stdout.write(jobs_table(views, waiting) + "\n")


def show(job_id: JobId, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Show one job: steps done, deliveries, problems."""
    from service.tables import job_text  # noqa: PLC0415

    with _jobs(config) as jobs:
        view = jobs.get(job_id)
    sys.stdout.write((json.dumps(view.to_json(), indent=2) if as_json else job_text(view)) + "\n")


def retry(job_id: JobId, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Queue a failed or cancelled job, or its failed deliveries, again; or one left out."""
    with _jobs(config) as jobs:
        _say(job_id, jobs.retry(job_id), as_json)


def cancel(job_id: JobId, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Cancel a queued or running job."""
    with _jobs(config) as jobs:
        _say(job_id, jobs.cancel(job_id), as_json)


def _say(job_id: str, text: str, as_json: bool) -> None:
    sys.stdout.write((json.dumps({"id": job_id, "done": text}) if as_json else text) + "\n")


def _jobs(config: ConfigFile) -> Jobs:
    from service.config_file import load_config  # noqa: PLC0415
    from service.jobs import Jobs  # noqa: PLC0415
    from service.layout import jobs_folder  # noqa: PLC0415

    # What the queue's library would say of a database that is away, the one line of ours says.
    logging.getLogger("dbos").setLevel(logging.CRITICAL)
    settings = load_config(config)
    return Jobs(settings.database_url, jobs_folder(settings))
