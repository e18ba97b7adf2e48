"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config", help="Configuration file; ./config.yaml if there is one.", show_default=False
    ),
]
OutFolder = Annotated[Path, typer.Option("--out", help="Folder for the results.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
