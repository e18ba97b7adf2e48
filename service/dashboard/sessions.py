"""Logged-in browsers. Kept in memory only: a restart of the service asks everybody to log in again.

The cookie holds a random token; the server keeps its digest, so that a memory dump opens nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

LONGEST_SECONDS = 12 * 3600.0
_MOST_SESSIONS = 1000


@dataclass
class Session:
    """One login; `password_hash` is the user's at that time."""

    user: str
    password_hash: str
    opened: float
    used: float


class Sessions:
    """Open sessions by token.

    Parameters
    ----------
    idle_seconds
        How long a session lasts without a page being opened.
    """

    def __init__(
        self, idle_seconds: Callable[[], float], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._idle_seconds = idle_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._open: dict[str, Session] = {}

    def open(self, user: str, password_hash: str) -> str:
        """Begin a session; return its token."""
        token, now = secrets.token_urlsafe(32), self._clock()
        with self._lock:
            self._drop_ended(now)
            if len(self._open) >= _MOST_SESSIONS:
                del self._open[min(self._open, key=lambda key: self._open[key].used)]
            self._open[_digest(token)] = Session(user, password_hash, now, now)
        return token

    def find(self, token: str) -> Session | None:
        """The session of a token, without prolonging it."""
        with self._lock:
            session = self._open.get(_digest(token))
            return session if session and self._lasts(session, self._clock()) else None

    def prolong(self, token: str) -> None:
        """Somebody used the session of a token."""
        session = self.find(token)
        if session is not None:
            session.used = self._clock()

    def close(self, token: str) -> None:
        """End a session; nothing happens if there is none."""
        with self._lock:
            self._open.pop(_digest(token), None)

    def _lasts(self, session: Session, now: float) -> bool:
        idle, age = now - session.used, now - session.opened
        return idle <= self._idle_seconds() and age <= LONGEST_SECONDS

    def _drop_ended(self, now: float) -> None:
        ended = [key for key, session in self._open.items() if not self._lasts(session, now)]
        for key in ended:
            del self._open[key]


class FormTokens:
    """Tokens against forged forms, bound to the browser's cookie (signed double submit).

    A page of another site can make a browser send the cookie, but cannot read or make the token.
    """

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)

    def token(self, browser: str) -> str:
        """The token that forms of this browser carry."""
        return hmac.new(self._key, browser.encode(), hashlib.sha256).hexdigest()

    def valid(self, browser: str, token: str) -> bool:
        """Whether a token belongs to the browser."""
        return bool(browser) and hmac.compare_digest(
            self.token(browser).encode(), token.encode(errors="replace")
        )


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()
