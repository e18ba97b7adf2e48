"""The user that the service runs as."""

from __future__ import annotations

import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from service.errors import ServiceError
from service.install.place import ACCOUNT, STATE


def account_exists() -> bool:
    """Whether this host knows the user."""
    try:
        pwd.getpwnam(ACCOUNT)
    except KeyError:
        return False
    return True


@dataclass(frozen=True)
class Account:
    """The user exists: made by systemd-sysusers from its file, or by useradd without systemd."""

    sysusers: Path

    def needed(self) -> bool:
        """Whether there is no such user."""
        return not account_exists()

    def make(self) -> None:
        """Make the user, without a shell or a password."""
        if shutil.which("systemd-sysusers"):
            _run("systemd-sysusers", str(self.sysusers))
        else:
            _run(
                "useradd", "--system", "--user-group", "--home-dir", str(STATE),
                "--no-create-home", "--shell", "/usr/sbin/nologin", ACCOUNT,
            )  # fmt: skip

    def describe(self) -> str:
        """One line."""
        return f"user {ACCOUNT}"


@dataclass(frozen=True)
class NoAccount:
    """The user is gone."""

    def needed(self) -> bool:
        """Whether there is such a user."""
        return account_exists()

    def make(self) -> None:
        """Remove user and group."""
        _run("userdel", ACCOUNT)

    def describe(self) -> str:
        """One line."""
        return f"remove user {ACCOUNT}"


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ServiceError(f"{command[0]}: {done.stderr.strip() or done.returncode}")
