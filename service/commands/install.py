"""`spinenode install-service` and `spinenode uninstall-service`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.install.changes import Change
    from service.install.place import Place

Prefix = Annotated[Path, typer.Option("--prefix", help="Where the program lies.")]
Root = Annotated[
    Path,
    typer.Option("--root", help="Write below this folder instead of /; nothing is started."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")]
PREFIX = Path("/opt/spinenode")
ROOT = Path("/")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("install-service")(install_service)
    app.command("uninstall-service")(uninstall_service)


def install_service(prefix: Prefix = PREFIX, root: Root = ROOT, dry_run: DryRun = False) -> None:
    """Write systemd units, user, folders and configuration; doing it again mends and updates."""
    from service.install.installation import Installation  # noqa: PLC0415 - keeps --help quick
    from service.install.manager import systemctl, systemd_runs  # noqa: PLC0415
    from service.install.units import this_host  # noqa: PLC0415

    place = _place(prefix, root, dry_run)
    changed = _make(Installation(place, this_host()).install(), dry_run)
    if place.staged or dry_run:
        return
    if not systemd_runs():
        sys.stdout.write("systemd does not run here; the units take effect where it does\n")
        return
    if changed:
        systemctl("daemon-reload")
    sys.stdout.write("next: systemctl enable --now spinenode\n")


def uninstall_service(
    prefix: Prefix = PREFIX,
    root: Root = ROOT,
    dry_run: DryRun = False,
    purge: Annotated[
        bool,
        typer.Option(
            "--purge", help="Also delete program, configuration, images, results and user."
        ),
    ] = False,
) -> None:
    """Stop the service and remove its units; everything else stays unless --purge."""
    from service.install.installation import Installation  # noqa: PLC0415 - keeps --help quick
    from service.install.manager import systemctl, systemd_runs  # noqa: PLC0415
    from service.install.units import this_host  # noqa: PLC0415

    place = _place(prefix, root, dry_run)
    installation = Installation(place, this_host())
    live = systemd_runs() and not place.staged and not dry_run
    changes = installation.uninstall()
    if live and any(change.needed() for change in changes):
        systemctl("disable", "--now", "spinenode.service")
        systemctl("stop", "spinenode-worker@*.service")
    _make(changes, dry_run)
    if live:
        systemctl("daemon-reload")
    if purge:
        _make(installation.purge(), dry_run)


def _place(prefix: Path, root: Path, dry_run: bool) -> Place:
    from service.errors import UsageError  # noqa: PLC0415 - keeps --help quick
    from service.install.place import Place  # noqa: PLC0415

    place = Place(prefix.absolute(), root.absolute())
    if os.geteuid() != 0 and not (place.staged or dry_run):
        raise UsageError("needs root; or --dry-run, or --root FOLDER to write elsewhere")
    return place


def _make(changes: Sequence[Change], dry_run: bool) -> bool:
    """Make what is needed and say so; whether anything was."""
    changed = False
    for change in changes:
        needed = change.needed()
        if needed and not dry_run:
            change.make()
        changed |= needed
        mark = ("would " if dry_run else "") + "do" if needed else "as it should be"
        sys.stdout.write(f"{mark:<16} {change.describe()}\n")
    return changed
