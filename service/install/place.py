"""Where an installation lies."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ACCOUNT = "spinenode"
UNITS = ("spinenode.service", "spinenode-worker@.service")
CONFIG = Path("/etc/spinenode/config.yaml")
CONFIG_EXAMPLE = Path("/etc/spinenode/config.example.yaml")
TLS = Path("/etc/spinenode/tls")
STATE = Path("/var/lib/spinenode")
BACKUPS = Path("/var/lib/spinenode/backups")
CACHE = Path("/var/cache/spinenode")
LOGS = Path("/var/log/spinenode")
OWN_FOLDERS = (STATE, CACHE, LOGS)
"""What the service may write without leave in its unit."""
COMMAND = Path("/usr/local/bin/spinenode")
UNIT_FOLDER = Path("/etc/systemd/system")
SYSUSERS = Path("/etc/sysusers.d/spinenode.conf")


@dataclass(frozen=True)
class Place:
    """A host, or a folder that stands for one.

    Attributes
    ----------
    prefix
        Where the program lies, as the host will see it.
    root
        Folder that everything is written below; ``/`` is this host. Below another folder nothing
        is started, no user is made and nothing changes hands.
    """

    prefix: Path = Path("/opt/spinenode")
    root: Path = Path("/")

    @property
    def staged(self) -> bool:
        """Whether a folder stands for the host."""
        return self.root != Path("/")

    def at(self, path: Path) -> Path:
        """Where a path of the host is found from here."""
        return self.root / path.relative_to("/")
