"""`spinenode install-service`, `rollback` and `uninstall-service`."""

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
    app.command("rollback")(rollback)
    app.command("uninstall-service")(uninstall_service)


def install_service(prefix: Prefix = PREFIX, root: Root = ROOT, dry_run: DryRun = False) -> None:
    """Write systemd units, user, folders and configuration; doing it again mends and updates.

    Run from a new release, it upgrades: drains and stops what runs, copies the SQLite databases,
    makes the new release the current one and starts again.
    """
    from service.install.installation import Installation  # noqa: PLC0415 - keeps --help quick
    from service.install.manager import running_units, systemd_runs  # noqa: PLC0415
    from service.install.units import this_host  # noqa: PLC0415
    from service.install.upgrade import Upgrade  # noqa: PLC0415

    place = _place(prefix, root, dry_run)
    upgrade = Upgrade(Installation(place, this_host()), Path(sys.prefix))
    if dry_run:
        _foresee(upgrade.changes())
        return
    if not place.staged:
        upgrade.require_release()
    upgrade.carry_out(_make)
    if place.staged:
        return
    if not systemd_runs():
        sys.stdout.write("systemd does not run here; the units take effect where it does\n")
    elif not running_units():
        sys.stdout.write("next: systemctl enable --now spinenode\n")


def rollback(prefix: Prefix = PREFIX, root: Root = ROOT, dry_run: DryRun = False) -> None:
    """Go back to the release before the current one; the queue and all data stay as they are."""
    from service.install.releases import Releases  # noqa: PLC0415 - keeps --help quick

    place = _place(prefix, root, dry_run)
    program = Releases(place).program_before()
    sys.stdout.write(f"going back to {program.parents[2].name}\n")
    sys.stdout.flush()
    options = ["--prefix", str(place.prefix), "--root", str(place.root)]
    options += ["--dry-run"] if dry_run else []
    # That release knows its own units best.
    os.execv(program, [str(program), "install-service", *options])


def uninstall_service(
    prefix: Prefix = PREFIX,
    root: Root = ROOT,
    dry_run: DryRun = False,
    purge: Annotated[
        bool,
        typer.Option(
            "--purge",
            help="Also delete program, configuration, user, and all below /var/lib/spinenode.",
        ),
    ] = False,
) -> None:
    """Stop the service and remove its units; everything else stays unless --purge."""
    from service.install.installation import Installation  # noqa: PLC0415 - keeps --help quick
    from service.install.manager import PATTERNS, systemctl, systemd_runs  # noqa: PLC0415
    from service.install.units import this_host  # noqa: PLC0415

    place = _place(prefix, root, dry_run)
    installation = Installation(place, this_host())
    changes = installation.uninstall()
    leftovers = installation.purge() if purge else []
    if dry_run:
        _foresee([*changes, *leftovers])
        return
    live = systemd_runs() and not place.staged
    if live and any(change.needed() for change in changes):
        systemctl("disable", "spinenode.service")
        systemctl("stop", *PATTERNS)
    _make(changes)
    if live:
        systemctl("daemon-reload")
    _make(leftovers)


def _place(prefix: Path, root: Path, dry_run: bool) -> Place:
    from service.errors import UsageError  # noqa: PLC0415 - keeps --help quick
    from service.install.place import Place  # noqa: PLC0415

    place = Place(prefix.absolute(), root.absolute())
    if os.geteuid() != 0 and not (place.staged or dry_run):
        raise UsageError("needs root; or --dry-run, or --root FOLDER to write elsewhere")
    return place


def _foresee(changes: Sequence[Change]) -> None:
    for change in changes:
        _say("would do" if change.needed() else "as it should be", change)


def _make(changes: Sequence[Change]) -> bool:
    """Make what is needed and say so; whether anything was."""
    changed = False
    for change in changes:
        needed = change.needed()
        if needed:
            change.make()
        changed |= needed
        _say("do" if needed else "as it should be", change)
    return changed


def _say(mark: str, change: Change) -> None:
    sys.stdout.write(f"{mark:<16} {change.describe()}\n")
