"""Options of `spinenode fetch`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Accession = Annotated[
    list[str] | None,
    typer.Option(metavar="NUMBER", help="Accession number; repeatable. See --list."),
]
Study = Annotated[
    list[str] | None, typer.Option(metavar="UID", help="StudyInstanceUID; repeatable.")
]
Listed = Annotated[
    Path | None,
    typer.Option(
        "--list",
        metavar="CSV",
        help="Studies by a column accession_number or study_instance_uid, with group, age, sex "
        "and patient_id if known; or one accession number per line.",
    ),
]
First = Annotated[
    str | None, typer.Option("--from", metavar="DATE", help="Studies of this day and later.")
]
Last = Annotated[
    str | None, typer.Option("--to", metavar="DATE", help="Until this day; today if not given.")
]
SourceName = Annotated[
    str | None, typer.Option("--source", metavar="NAME", help="Archive, as in sources:.")
]
Description = Annotated[
    list[str] | None,
    typer.Option(metavar="PATTERN", help="Only series so described; repeatable."),
]
StudyDescription = Annotated[
    list[str] | None,
    typer.Option(metavar="PATTERN", help="Only studies so described; repeatable."),
]
Modality = Annotated[str, typer.Option(help="Modality of the series, one of rules.modalities.")]
Out = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Analyse here: results per series, cohort.csv and series.csv. Without it the images "
        "go to the running node.",
    ),
]
Group = Annotated[str, typer.Option(help="Column group of cohort.csv where the list has none.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="List what would be fetched; fetch nothing.")
]
PerMinute = Annotated[
    float | None, typer.Option(metavar="N", min=0.001, help="At most so many series a minute.")
]
MegabytesPerSecond = Annotated[
    float | None,
    typer.Option(metavar="N", min=0.001, help="At most so much on average."),
]
OpenHours = Annotated[
    str | None,
    typer.Option(metavar="HH:MM-HH:MM", help="Begin series only then, such as 19:00-06:00."),
]
MostWaiting = Annotated[
    int, typer.Option(min=0, help="Wait while so many jobs are queued in the node; 0: never.")
]
Again = Annotated[bool, typer.Option("--again", help="Fetch also what the node has or had.")]
