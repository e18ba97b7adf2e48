"""SIGHUP: the configuration is read again, and what can change while running does.

Peers, destinations, rules, users of the pages and the log level change at once, without touching an
open association.
What a running service cannot change is named in the log and waits for the next restart. A file
that cannot be used changes nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from service.config import Config
from service.errors import ConfigurationError

log = logging.getLogger(__name__)

CHANGES_AT_ONCE = (
    "node.peers",
    "destinations",
    "rules",
    "service.log_level",
    "service.dashboard.users",
    "service.dashboard.session_idle_minutes",
)


class Reloader:
    """Reads the configuration again and hands on what may change.

    Parameters
    ----------
    current
        What the service was started with.
    read
        Reads the configuration; raises `ConfigurationError`.
    follow
        Takes the configuration to go by from now on.
    """

    def __init__(
        self, current: Config, read: Callable[[], Config], follow: Callable[[Config], None]
    ) -> None:
        self._current = current
        self._read = read
        self._follow = follow

    def __call__(self) -> str:
        """Reload; return why the configuration was refused, or an empty text."""
        try:
            wanted = self._read()
        except ConfigurationError as error:
            log.error(
                "configuration refused; the former one stays in force",
                extra={"problem": str(error)},
            )
            return f"refused, the former one stays in force: {error}"
        changed = changed_keys(self._current, wanted)
        self._current = merged(self._current, wanted)
        self._follow(self._current)
        waiting = [key for key in changed if not _changes_at_once(key)]
        log.info("configuration reloaded", extra={"changed": changed})
        if waiting:
            log.warning("changed keys that need a restart", extra={"keys": waiting})
        return ""


def merged(current: Config, wanted: Config) -> Config:
    """The present configuration with everything of the new one that may change while running."""
    pages = wanted.service.dashboard
    dashboard = current.service.dashboard.model_copy(
        update={"users": pages.users, "session_idle_minutes": pages.session_idle_minutes}
    )
    return current.model_copy(
        update={
            "node": current.node.model_copy(update={"peers": wanted.node.peers}),
            "service": current.service.model_copy(
                update={"log_level": wanted.service.log_level, "dashboard": dashboard}
            ),
            "destinations": wanted.destinations,
            "rules": wanted.rules,
        }
    )


def changed_keys(before: Config, after: Config) -> list[str]:
    """Dotted names of the keys that differ."""
    old, new = _flat(before.model_dump()), _flat(after.model_dump())
    return sorted(key for key in old.keys() | new.keys() if old.get(key) != new.get(key))


def _flat(section: dict[str, Any], path: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in section.items():
        if isinstance(value, dict) and value:
            flat.update(_flat(value, f"{path}{name}."))
        else:
            flat[path + name] = value
    return flat


def _changes_at_once(key: str) -> bool:
    return any(key == each or key.startswith(each + ".") for each in CHANGES_AT_ONCE)
