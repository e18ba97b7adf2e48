"""`spinenode check` and `spinenode version`."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from service.commands.options import AsJson, ConfigFile
from service.exits import DONE, USAGE


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("check")(check)
    app.command("version")(version)
    app.command("hash-password")(hash_dashboard_password)


def check(
    config: ConfigFile = None,
    connect: Annotated[
        bool, typer.Option("--connect", help="Also C-ECHO every destination.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check configuration, weights, disk, device and database; name the fix for what fails."""
    from service.config_file import load_config  # noqa: PLC0415 - keeps --help quick
    from service.doctor import examine, examine_destinations, examine_receivers  # noqa: PLC0415

    settings = load_config(config)
    results = examine(settings)
    if connect:
        results += examine_destinations(settings) + examine_receivers(settings)
    if as_json:
        sys.stdout.write(json.dumps([result.to_json() for result in results], indent=2) + "\n")
    else:
        for result in results:
            sys.stdout.write(result.line() + "\n")
    raise typer.Exit(DONE if all(result.ok for result in results) else USAGE)


def version(as_json: AsJson = False) -> None:
    """Print versions, the digest of the weights and the texture presets."""
    from service.versions import versions  # noqa: PLC0415 - keeps --help quick

    facts = versions()
    if as_json:
        sys.stdout.write(json.dumps(facts, indent=2) + "\n")
        return
    for key, value in facts.items():
        shown = ", ".join(value) if isinstance(value, list) else value
        sys.stdout.write(f"{key:<16} {shown}\n")


def hash_dashboard_password() -> None:
    """Ask for a password and print its hash for service.dashboard.users."""
    from service.dashboard.passwords import hash_password  # noqa: PLC0415 - keeps --help quick

    password = typer.prompt("password", hide_input=True, confirmation_prompt=True, err=True)
    sys.stdout.write(hash_password(password) + "\n")
