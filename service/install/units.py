"""The systemd units, fitted to the host and to the configuration."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from service.config import Config
from service.install.place import OWN_FOLDERS, UNITS

TEMPLATES = Path(__file__).parents[1] / "systemd"
NOTIFY_RELOAD_SINCE = 253
LOWEST_FREE_PORT = 1024
NVIDIA_CONTROL = Path("/dev/nvidiactl")

_RELOAD_BY_MANAGER = "Type=notify-reload"
# The shell's own kill: /bin/kill belongs to procps, which a small Debian lacks.
_RELOAD_BY_COMMAND = "Type=notify\nExecReload=/bin/sh -c 'kill -HUP $MAINPID'"
_NO_DEVICES = "PrivateDevices=yes"
_GPU_ONLY = """# The GPU and nothing else of /dev; PrivateDevices would hide it.
DevicePolicy=closed
DeviceAllow=char-nvidia* rw"""


@dataclass(frozen=True)
class Host:
    """What the units depend on: the version of systemd, and whether there is an NVIDIA GPU."""

    systemd: int
    gpu: bool


def this_host() -> Host:
    """Look at this host; without systemd the units are made for any version."""
    return Host(systemd=_systemd_version(), gpu=NVIDIA_CONTROL.exists())


def render_units(prefix: Path, config: Config, host: Host) -> dict[str, str]:
    """Text of each unit by its name.

    The unit allows what the configuration needs and no more: a port below 1024, a spool outside
    the state folder, a GPU.
    """
    low_port = 0 < config.node.port < LOWEST_FREE_PORT
    values = {
        "PREFIX": str(prefix),
        "TYPE": _RELOAD_BY_MANAGER if host.systemd >= NOTIFY_RELOAD_SINCE else _RELOAD_BY_COMMAND,
        "CAPABILITIES": "CAP_NET_BIND_SERVICE" if low_port else "",
        # A capability inside a user namespace of its own opens no low port.
        "PRIVATE_USERS": "no" if low_port else "yes",
        "WRITABLE": _writable(config),
        "DEVICES": _GPU_ONLY if host.gpu and config.inference.device != "cpu" else _NO_DEVICES,
    }
    values["COMMON"] = _fill((TEMPLATES / "common.conf").read_text(encoding="utf-8"), values)
    return {name: _fill((TEMPLATES / name).read_text(encoding="utf-8"), values) for name in UNITS}


def _fill(template: str, values: dict[str, str]) -> str:
    filled = re.sub(r"@([A-Z_]+)@", lambda match: values[match[1]], template)
    return re.sub(r"\n{3,}", "\n\n", filled)


def _writable(config: Config) -> str:
    paths = []
    if _needs_leave(config.node.spool):
        paths.append(f"ReadWritePaths={config.node.spool}")
    audit = config.service.audit.file
    if audit is not None and _needs_leave(audit):
        # Images are received without it, too.
        paths.append(f"ReadWritePaths=-{audit.parent}")
    return "\n".join(paths) or f"# Writable: only {', '.join(map(str, OWN_FOLDERS))}."


def _needs_leave(path: Path) -> bool:
    return path.is_absolute() and not any(map(path.is_relative_to, OWN_FOLDERS))


def _systemd_version() -> int:
    if shutil.which("systemctl") is None:
        return 0
    done = subprocess.run(("systemctl", "--version"), capture_output=True, text=True, check=False)
    match = re.match(r"systemd (\d+)", done.stdout)
    return int(match[1]) if match else 0
