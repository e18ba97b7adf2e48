"""What belongs to an installed service besides the program itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from service.config import Config
from service.config_file import load_config
from service.errors import ServiceError
from service.install.account import Account, NoAccount
from service.install.changes import Change, Folder, Ownership, OwnFile, Removed, TextFile
from service.install.place import (
    ACCOUNT,
    CACHE,
    COMMAND,
    CONFIG,
    CONFIG_EXAMPLE,
    LOGS,
    OWN_FOLDERS,
    STATE,
    SYSUSERS,
    TLS,
    UNIT_FOLDER,
    UNITS,
    Place,
)
from service.install.units import TEMPLATES, Host, render_units

_SHIPPED = (Path(__file__).parent / "config.yaml", Path(__file__).parents[2] / "config.yaml")
_SPOOL_LINE = "\n  spool: var/spool\n"


@dataclass(frozen=True)
class Installation:
    """The changes that install, and those that take away again."""

    place: Place
    host: Host

    def install(self) -> list[Change]:
        """Everything that makes a host ready to start the service, in order."""
        place = self.place
        secret, public = self._ours(0o640), self._root(0o644)
        sysusers = (TEMPLATES / "sysusers.conf").read_text(encoding="utf-8")
        example = shipped_config()
        changes: list[Change] = [TextFile(place.at(SYSUSERS), sysusers, public)]
        if not place.staged:
            changes.append(Account(place.at(SYSUSERS)))
        changes += [
            Folder(place.at(CONFIG.parent), self._ours(0o750)),
            Folder(place.at(TLS), self._ours(0o750)),
            *(Folder(place.at(path), self.owned_by_service(0o750)) for path in OWN_FOLDERS),
            OwnFile(TextFile(place.at(CONFIG), example, secret)),
            TextFile(place.at(CONFIG_EXAMPLE), example, secret),
        ]
        command = (Path(__file__).parent / "command.sh").read_text(encoding="utf-8")
        changes.append(
            TextFile(
                place.at(COMMAND),
                command.replace("@PREFIX@", str(place.prefix)),
                self._root(0o755),
            )
        )
        units = render_units(place.prefix, self._config(), self.host)
        changes += [
            TextFile(place.at(UNIT_FOLDER / name), text, public) for name, text in units.items()
        ]
        return changes

    def uninstall(self) -> list[Change]:
        """Units and user file are removed; program, configuration, data and user stay."""
        place = self.place
        paths = [*(UNIT_FOLDER / name for name in UNITS), SYSUSERS, COMMAND]
        return [Removed(place.at(path)) for path in paths]

    def purge(self) -> list[Change]:
        """What `uninstall` leaves: program, configuration, images, results, user.

        An audit trail stays, and so does a spool elsewhere, which may share its folder.
        """
        place = self.place
        data: list[Change] = [Removed(place.at(path)) for path in (CONFIG.parent, STATE, CACHE)]
        if not any(place.at(LOGS).glob("*")):
            data.append(Removed(place.at(LOGS)))
        account: list[Change] = [] if place.staged else [NoAccount()]
        # The program last: what is interrupted before can be done again.
        return [*data, *account, Removed(place.at(place.prefix))]

    def _config(self) -> Config:
        written = self.place.at(CONFIG)
        return load_config(written) if written.is_file() else Config()

    def _root(self, mode: int) -> Ownership:
        return self._ownership(mode, "root", "root")

    def _ours(self, mode: int) -> Ownership:
        """The service reads, only root writes."""
        return self._ownership(mode, "root", ACCOUNT)

    def owned_by_service(self, mode: int) -> Ownership:
        """Ownership of what the service writes."""
        return self._ownership(mode, ACCOUNT, ACCOUNT)

    def spool(self) -> Path:
        """Where the spool lies on the host; a relative one is below the state folder."""
        return STATE / self._config().node.spool

    def _ownership(self, mode: int, owner: str, group: str) -> Ownership:
        return Ownership(mode) if self.place.staged else Ownership(mode, owner, group)


def shipped_config() -> str:
    """The commented defaults with the spool where an installed service keeps it.

    Raises
    ------
    ServiceError
        If the package holds no configuration.
    """
    file = next((path for path in _SHIPPED if path.is_file()), None)
    text = file.read_text(encoding="utf-8") if file else ""
    if text.count(_SPOOL_LINE) != 1:
        raise ServiceError("the shipped config.yaml is missing or has no node.spool line")
    return text.replace(_SPOOL_LINE, f"\n  spool: {STATE}/spool\n")
