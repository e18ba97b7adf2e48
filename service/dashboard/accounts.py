"""Who may log in, and what each may do and see."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

from service.config import UserConfig
from service.dashboard.passwords import hash_password, verify_password

Users = Mapping[str, UserConfig]


@dataclass(frozen=True)
class Visitor:
    """Who is looking at a page; the name is empty where no users are configured."""

    name: str
    may_operate: bool
    sees_identifiers: bool


ANYBODY = Visitor("", may_operate=True, sees_identifiers=False)
"""Whoever reaches a loopback port without configured users: nobody could answer for a look."""


class Accounts:
    """The configured users, as they are at each request.

    Parameters
    ----------
    users
        Asked each time, so that a user taken out of the configuration is out at once.
    """

    def __init__(self, users: Callable[[], Users]) -> None:
        self._users = users

    def configured(self) -> bool:
        """Whether anybody has to log in at all."""
        return bool(self._users())

    def knows(self, name: str) -> bool:
        """Whether there is such a user."""
        return name in self._users()

    def visitor(self, name: str) -> Visitor | None:
        """What a user may do; None if there is no such user."""
        user = self._users().get(name)
        if user is None:
            return None
        return Visitor(name, user.role == "operator", user.sees_identifiers)

    def password_hash(self, name: str) -> str:
        """Stored hash, which changes when the password does; empty for an unknown user."""
        user = self._users().get(name)
        return "" if user is None else user.password

    def verify(self, name: str, password: str) -> bool:
        """Whether the password is the user's; an unknown name takes as long as a known one."""
        stored = self.password_hash(name)
        matches = verify_password(password, stored or _nobodys_hash())
        return matches and bool(stored)


@cache
def _nobodys_hash() -> str:
    return hash_password("")
