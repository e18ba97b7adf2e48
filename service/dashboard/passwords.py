"""Passwords of dashboard users, kept as salted scrypt hashes."""

from __future__ import annotations

import hashlib
import hmac
import os
from base64 import b64decode, b64encode
from binascii import Error as Base64Error

_N, _R, _P = 2**14, 8, 1


def hash_password(password: str) -> str:
    """Text for ``service.dashboard.users``: ``scrypt$salt$hash``."""
    salt = os.urandom(16)
    return f"scrypt${b64encode(salt).decode()}${b64encode(_digest(password, salt)).decode()}"


def verify_password(password: str, stored: str) -> bool:
    """Whether a password is the one hashed; False for text that is no hash."""
    parts = stored.split("$")
    if len(parts) != 3 or parts[0] != "scrypt":
        return False
    try:
        salt, expected = b64decode(parts[1], validate=True), b64decode(parts[2], validate=True)
    except Base64Error:
        return False
    return hmac.compare_digest(_digest(password, salt), expected)


def _digest(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=_N, r=_R, p=_P)
