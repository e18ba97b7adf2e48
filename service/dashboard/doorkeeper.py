"""Logging in: passwords, sessions, and how often somebody may try."""

from __future__ import annotations

import hashlib
import hmac
import math
import secrets
import threading
from base64 import b64decode
from binascii import Error as Base64Error
from collections import OrderedDict

from service.dashboard.accounts import Accounts, Visitor
from service.dashboard.audit import AccessAuditor
from service.dashboard.sessions import FormTokens, Sessions
from service.dashboard.throttle import Throttle

_REMEMBERED = 64


class TooManyTries(Exception):
    """Tries come too fast; `seconds` says when the next one is looked at."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"again in {math.ceil(seconds)} s")
        self.seconds = math.ceil(seconds)


class Doorkeeper:
    """Lets configured users in."""

    def __init__(self, accounts: Accounts, sessions: Sessions, auditor: AccessAuditor) -> None:
        self.accounts = accounts
        self.sessions = sessions
        self.form_tokens = FormTokens()
        self._auditor = auditor
        self._throttle = Throttle()
        self._key = secrets.token_bytes(32)
        self._lock = threading.Lock()
        self._scripts: OrderedDict[str, str] = OrderedDict()

    def log_in(self, name: str, password: str, address: str) -> str | None:
        """Open a session; return its token, or None for a wrong name or password.

        Raises
        ------
        TooManyTries
            Instead of looking at the password.
        """
        if not self._admit(name, password, address):
            return None
        self._auditor.audit_login(name, address, "accepted")
        return self.sessions.open(name, self.accounts.password_hash(name))

    def log_out(self, token: str, address: str) -> None:
        """End a session."""
        session = self.sessions.find(token)
        if session is not None:
            self.sessions.close(token)
            self._auditor.audit_login(session.user, address, "logout")

    def by_session(self, token: str) -> Visitor | None:
        """Who holds a session; nobody once the user or the password changed."""
        session = self.sessions.find(token)
        if session is None:
            return None
        if session.password_hash != self.accounts.password_hash(session.user):
            self.sessions.close(token)
            return None
        return self.accounts.visitor(session.user)

    def by_basic(self, authorization: str, address: str) -> Visitor | None:
        """Who a script says it is (RFC 7617).

        Raises
        ------
        TooManyTries
            Instead of looking at the password.
        """
        name, password = _credentials(authorization)
        if not name:
            return None
        key = hmac.new(self._key, authorization.encode(), hashlib.sha256).hexdigest()
        stored = self.accounts.password_hash(name)
        with self._lock:
            known = bool(stored) and self._scripts.get(key) == stored
        if not known:
            if not self._admit(name, password, address):
                return None
            with self._lock:
                self._scripts[key] = stored
                while len(self._scripts) > _REMEMBERED:
                    self._scripts.popitem(last=False)
        return self.accounts.visitor(name)

    def _admit(self, name: str, password: str, address: str) -> bool:
        keys = (f"user {name}", f"from {address}")
        known_name = name if self.accounts.knows(name) else ""
        wait = self._throttle.wait_seconds(keys)
        if wait > 0:
            self._auditor.audit_login(known_name, address, "delayed")
            raise TooManyTries(wait)
        self._throttle.count_try(keys)
        if not self.accounts.verify(name, password):
            self._auditor.audit_login(known_name, address, "refused")
            return False
        self._throttle.succeeded(keys)
        return True


def _credentials(authorization: str) -> tuple[str, str]:
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        name, _, password = b64decode(encoded, validate=True).decode().partition(":")
    except (Base64Error, UnicodeDecodeError):
        return "", ""
    return name, password
