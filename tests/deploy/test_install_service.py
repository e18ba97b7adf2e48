"""`spinenode install-service` and `uninstall-service` below a folder that stands for the host."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from service.cli import app
from service.config import Config
from service.config_file import load_config
from service.install.units import Host, render_units

PREFIX = Path("/opt/spinenode")
DEBIAN_12 = Host(systemd=252, gpu=False)


def run(*arguments: str):
    return CliRunner().invoke(app, list(arguments))


def install(root: Path, *options: str) -> str:
    result = run("install-service", "--root", str(root), *options)
    assert result.exit_code == 0, result.output
    return result.output


def tree(root: Path) -> dict[str, tuple[str, str]]:
    """Mode and content of everything below a folder."""
    return {
        str(path.relative_to(root)): (
            oct(stat.S_IMODE(path.stat().st_mode)),
            path.read_text() if path.is_file() else "",
        )
        for path in root.rglob("*")
    }


def settings(unit: str) -> dict[str, list[str]]:
    """Values of each setting of a unit."""
    found: dict[str, list[str]] = {}
    for line in unit.splitlines():
        if "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


def test_everything_is_written_with_the_right_modes(tmp_path):
    install(tmp_path)
    modes = {name: mode for name, (mode, _) in tree(tmp_path).items()}
    assert modes["etc/spinenode"] == modes["var/lib/spinenode"] == "0o750"
    assert modes["etc/spinenode/config.yaml"] == "0o640"
    assert modes["usr/local/bin/spinenode"] == "0o755"
    assert modes["etc/systemd/system/spinenode.service"] == "0o644"
    assert modes["etc/systemd/system/spinenode-worker@.service"] == "0o644"


def test_the_written_configuration_is_usable_and_keeps_the_spool_in_the_state_folder(tmp_path):
    install(tmp_path)
    config = load_config(tmp_path / "etc/spinenode/config.yaml")
    assert config.node.spool == Path("/var/lib/spinenode/spool")
    assert config.model_copy(update={"node": Config().node}) == Config()


def test_installing_again_changes_nothing(tmp_path):
    install(tmp_path)
    before = tree(tmp_path)
    assert "would do" not in install(tmp_path, "--dry-run")
    assert "\ndo " not in install(tmp_path)
    assert tree(tmp_path) == before


def test_a_dry_run_writes_nothing(tmp_path):
    assert "would do" in install(tmp_path, "--dry-run")
    assert list(tmp_path.iterdir()) == []


def test_the_site_s_configuration_is_kept_and_decides_the_unit(tmp_path):
    install(tmp_path)
    config = tmp_path / "etc/spinenode/config.yaml"
    config.write_text("node: {port: 104, spool: /data/spool}\n")
    install(tmp_path)
    assert config.read_text() == "node: {port: 104, spool: /data/spool}\n"
    unit = settings((tmp_path / "etc/systemd/system/spinenode.service").read_text())
    assert unit["AmbientCapabilities"] == unit["CapabilityBoundingSet"] == ["CAP_NET_BIND_SERVICE"]
    assert unit["PrivateUsers"] == ["no"]
    assert unit["ReadWritePaths"] == ["/data/spool"]


def test_a_configuration_that_cannot_be_used_stops_the_installation(tmp_path):
    install(tmp_path)
    (tmp_path / "etc/spinenode/config.yaml").write_text("node:\n  prt: 104\n")
    result = run("install-service", "--root", str(tmp_path))
    assert "line 2: unknown key 'node.prt'" in str(result.exception)


def test_loosened_modes_are_mended(tmp_path):
    install(tmp_path)
    config = tmp_path / "etc/spinenode/config.yaml"
    config.chmod(0o666)
    install(tmp_path)
    assert stat.S_IMODE(config.stat().st_mode) == 0o640


def test_uninstalling_keeps_configuration_and_data_and_purging_does_not(tmp_path):
    install(tmp_path)
    image = tmp_path / "var/lib/spinenode/spool/image"
    image.parent.mkdir()
    image.touch()
    assert run("uninstall-service", "--root", str(tmp_path)).exit_code == 0
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {
        "etc/spinenode/config.yaml",
        "etc/spinenode/config.example.yaml",
        "var/lib/spinenode/spool/image",
    }
    assert run("uninstall-service", "--root", str(tmp_path), "--purge").exit_code == 0
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert not (tmp_path / "var/log/spinenode").exists()


def test_purging_keeps_an_audit_trail(tmp_path):
    install(tmp_path)
    trail = tmp_path / "var/log/spinenode/audit-2026-11-21.xml"
    trail.touch()
    assert run("uninstall-service", "--root", str(tmp_path), "--purge").exit_code == 0
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [trail]


@pytest.mark.parametrize(
    ("file", "leave"),
    [
        ("/srv/audit/spinenode.xml", ["-/srv/audit"]),
        ("/var/log/spinenode/audit.xml", None),
        ("audit/spinenode.xml", None),
    ],
)
def test_the_unit_may_write_the_audit_trail(file, leave):
    config = Config.model_validate({"service": {"audit": {"file": file}}})
    unit = settings(render_units(PREFIX, config, DEBIAN_12)["spinenode.service"])
    assert unit["LogsDirectory"] == ["spinenode"]
    assert unit.get("ReadWritePaths") == leave


def test_on_the_host_itself_it_wants_root(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    result = run("install-service")
    assert "needs root" in str(result.exception)


def test_systemd_reloads_by_itself_where_it_can():
    old = settings(render_units(PREFIX, Config(), DEBIAN_12)["spinenode.service"])
    assert (old["Type"], old["ExecReload"]) == (["notify"], ["/bin/sh -c 'kill -HUP $MAINPID'"])
    new = settings(render_units(PREFIX, Config(), Host(253, gpu=False))["spinenode.service"])
    assert new["Type"] == ["notify-reload"]
    assert "ExecReload" not in new


def test_only_where_there_is_a_gpu_devices_are_visible():
    without = settings(render_units(PREFIX, Config(), DEBIAN_12)["spinenode.service"])
    assert without["PrivateDevices"] == ["yes"]
    with_gpu = settings(render_units(PREFIX, Config(), Host(252, gpu=True))["spinenode.service"])
    assert "PrivateDevices" not in with_gpu
    assert with_gpu["DevicePolicy"] == ["closed"]
    on_cpu = Config(inference={"device": "cpu"})
    unit = settings(render_units(PREFIX, on_cpu, Host(252, gpu=True))["spinenode.service"])
    assert unit["PrivateDevices"] == ["yes"]


needs_systemd_analyze = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed"
)


@pytest.fixture
def verified_root(tmp_path):
    """A staged host with what the units refer to."""
    root = tmp_path / "root"
    install(root)
    for program in ("opt/spinenode/current/venv/bin/spinenode", "bin/sh"):
        path = root / program
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)
    units = root / "usr/lib/systemd/system"
    units.mkdir(parents=True)
    for name in ("sysinit", "basic", "shutdown", "multi-user", "network-online"):
        (units / f"{name}.target").write_text(f"[Unit]\nDescription={name}\n")
    for name in ("-.mount", "tmp.mount", "system.slice", "-.slice"):
        where = {"-.mount": "/", "tmp.mount": "/tmp"}.get(name)
        mount = f"[Mount]\nWhat=tmpfs\nWhere={where}\n" if where else ""
        (units / name).write_text(f"[Unit]\nDescription={name}\n{mount}")
    return root


def analyze(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", *arguments[:1], f"--root={root}", *arguments[1:]],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "SYSTEMD_LOG_LEVEL": "warning"},
    )


@needs_systemd_analyze
@pytest.mark.parametrize("unit", ["spinenode.service", "spinenode-worker@1.service"])
def test_systemd_finds_nothing_to_complain_about(verified_root, unit):
    done = analyze(verified_root, "verify", "--man=no", unit)
    assert (done.returncode, done.stderr) == (0, "")


@needs_systemd_analyze
def test_a_misspelt_setting_would_be_found(verified_root):
    """The test above can fail."""
    unit = verified_root / "etc/systemd/system/spinenode.service"
    unit.write_text(unit.read_text().replace("ProtectHome=", "ProtectHouse="))
    assert "ProtectHouse" in analyze(verified_root, "verify", "spinenode.service").stderr


@needs_systemd_analyze
def test_the_exposure_that_the_documentation_states_is_not_exceeded(verified_root):
    done = analyze(
        verified_root, "security", "--offline=true", "--threshold=11", "spinenode.service"
    )
    assert done.returncode == 0, done.stdout[-200:]
