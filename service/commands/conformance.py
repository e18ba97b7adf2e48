"""`spinenode conformance`."""

from __future__ import annotations

import sys

import typer

from service.commands.options import ConfigFile


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("conformance")(conformance)


def conformance(config: ConfigFile = None) -> None:
    """Print the DICOM conformance statement of this configuration, in Markdown."""
    from service.config_file import load_config  # noqa: PLC0415 - keeps --help quick
    from service.conformance import statement  # noqa: PLC0415

    sys.stdout.write(statement(load_config(config)))
