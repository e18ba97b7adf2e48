"""Releases side by side below a staged root: upgrade, going back, and what they leave alone."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from service.cli import app
from service.install.backup import KEPT, DatabaseCopy
from service.install.changes import Ownership


@pytest.fixture
def install_from(tmp_path, monkeypatch):
    """Run install-service as the program of a release would."""

    def install(name: str, *options: str) -> str:
        environment = tmp_path / "opt/spinenode/releases" / name / "venv"
        (environment / "bin").mkdir(parents=True, exist_ok=True)
        (environment / "bin/spinenode").touch()
        monkeypatch.setattr(sys, "prefix", str(environment))
        result = CliRunner().invoke(app, ["install-service", "--root", str(tmp_path), *options])
        assert result.exit_code == 0, result.output
        return result.output

    return install


def links(root: Path) -> dict[str, str]:
    folder = root / "opt/spinenode"
    return {path.name: str(path.readlink()) for path in folder.iterdir() if path.is_symlink()}


def test_the_first_release_is_current_and_nothing_is_before_it(tmp_path, install_from):
    install_from("1.0.0")
    assert links(tmp_path) == {"current": "releases/1.0.0"}
    assert "\ndo " not in install_from("1.0.0")


def test_an_upgrade_copies_the_databases_and_keeps_the_way_back(tmp_path, install_from):
    install_from("1.0.0")
    spool = tmp_path / "var/lib/spinenode/spool"
    (spool / "fetch").mkdir(parents=True)
    for name in ("queue.sqlite", "queue.sqlite-wal", "fetch/ledger.sqlite", "image.dcm"):
        (spool / name).write_text(name)
    install_from("1.1.0")
    assert links(tmp_path) == {"current": "releases/1.1.0", "previous": "releases/1.0.0"}
    (copy,) = (tmp_path / "var/lib/spinenode/backups").iterdir()
    assert copy.name.endswith("-1.0.0")
    copied = {str(path.relative_to(copy)) for path in copy.rglob("*") if path.is_file()}
    assert copied == {"queue.sqlite", "queue.sqlite-wal", "fetch/ledger.sqlite"}
    assert (copy / "queue.sqlite").read_text() == "queue.sqlite"


def test_a_dry_run_of_an_upgrade_says_everything_and_does_nothing(tmp_path, install_from):
    install_from("1.0.0")
    said = install_from("1.1.0", "--dry-run")
    assert "would do         link" in said
    assert links(tmp_path) == {"current": "releases/1.0.0"}


def test_a_configuration_that_the_new_release_refuses_leaves_the_old_one_current(
    tmp_path, install_from
):
    install_from("1.0.0")
    (tmp_path / "etc/spinenode/config.yaml").write_text("node: {prt: 1}\n")
    with pytest.raises(AssertionError):
        install_from("1.1.0")
    assert links(tmp_path) == {"current": "releases/1.0.0"}


def test_rollback_hands_over_to_the_program_of_the_release_before(
    tmp_path, install_from, monkeypatch
):
    install_from("1.0.0")
    install_from("1.1.0")
    ran: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda _, arguments: ran.append(arguments))
    CliRunner().invoke(app, ["rollback", "--root", str(tmp_path)])
    program = tmp_path / "opt/spinenode/releases/1.0.0/venv/bin/spinenode"
    assert ran[0][:2] == [str(program), "install-service"]
    install_from("1.0.0")
    assert links(tmp_path) == {"current": "releases/1.0.0", "previous": "releases/1.1.0"}


@pytest.mark.parametrize("lost", ["link", "program"])
def test_rollback_without_a_release_before_says_so(tmp_path, install_from, lost):
    install_from("1.0.0")
    if lost == "program":
        install_from("1.1.0")
        (tmp_path / "opt/spinenode/releases/1.0.0/venv/bin/spinenode").unlink()
    result = CliRunner().invoke(app, ["rollback", "--root", str(tmp_path)])
    assert "go back to" in str(result.exception) or "gone back to" in str(result.exception)


def test_a_program_outside_the_prefix_is_not_installed(monkeypatch):
    """The units would start another program than the one that wrote them."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    result = CliRunner().invoke(app, ["install-service", "--prefix", "/opt/spinenode-elsewhere"])
    assert "install.sh of the wheelhouse puts it there" in str(result.exception)


def test_only_the_newest_copies_are_kept(tmp_path):
    spool = tmp_path / "spool"
    spool.mkdir()
    (spool / "queue.sqlite").touch()
    for number in range(KEPT + 2):
        DatabaseCopy(spool, tmp_path / "backups", f"2026010{number}", Ownership(0o750)).make()
    left = sorted(path.name for path in (tmp_path / "backups").iterdir())
    assert left == [f"2026010{number}" for number in range(2, KEPT + 2)]
