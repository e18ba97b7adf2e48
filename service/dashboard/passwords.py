"""Passwords of dashboard users, kept as salted scrypt hashes (RFC 7914)."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import threading
from base64 import b64decode, b64encode
from dataclasses import dataclass

_AT_ONCE = threading.BoundedSemaphore(2)
"""One verification takes 16 MiB and a good part of a second of one core."""


@dataclass(frozen=True)
class _Cost:
    """Parameters of scrypt; N is 2 to the power of `log2_n`."""

    log2_n: int
    r: int
    p: int


_NOW = _Cost(14, 8, 5)
"""A recommendation of the OWASP password storage cheat sheet that needs only 16 MiB."""
_UNNAMED = _Cost(14, 8, 1)
"""Of hashes without parameters, as version 0.1.0 wrote them."""
_LEAST_SALT, _DIGEST = 8, 64
"""Bytes."""
_PARAMETERS = re.compile(r"(1[0-7])-([1-8])-([1-9])")
"""log2 N, r, p; without commas, which end a value in YAML's short form of a mapping."""


def hash_password(password: str) -> str:
    """Text for ``service.dashboard.users``: ``scrypt$14-8-5$salt$hash``."""
    salt = os.urandom(16)
    digest = _digest(password, salt, _NOW)
    parameters = f"{_NOW.log2_n}-{_NOW.r}-{_NOW.p}"
    return f"scrypt${parameters}${b64encode(salt).decode()}${b64encode(digest).decode()}"


def verify_password(password: str, stored: str) -> bool:
    """Whether a password is the one hashed; False for text that is no hash."""
    try:
        cost, salt, expected = _parts(stored)
    except ValueError:
        return False
    return hmac.compare_digest(_digest(password, salt, cost), expected)


def is_hash(text: str) -> bool:
    """Whether a text is a hash that a password could fit."""
    try:
        _, salt, digest = _parts(text)
    except ValueError:
        return False
    return len(salt) >= _LEAST_SALT and len(digest) == _DIGEST


def _parts(stored: str) -> tuple[_Cost, bytes, bytes]:
    """Cost, salt and digest of a hash; ValueError for text that is none."""
    kind, *parameters, salt, digest = stored.split("$")
    if kind != "scrypt" or len(parameters) > 1:
        raise ValueError("no scrypt hash")
    cost = _UNNAMED
    if parameters:
        named = _PARAMETERS.fullmatch(parameters[0])
        if named is None:
            raise ValueError("unknown parameters")
        cost = _Cost(*map(int, named.groups()))
    return cost, b64decode(salt, validate=True), b64decode(digest, validate=True)


def _digest(password: str, salt: bytes, cost: _Cost) -> bytes:
    n = 2**cost.log2_n
    with _AT_ONCE:
        return hashlib.scrypt(
            password.encode(), salt=salt, n=n, r=cost.r, p=cost.p, maxmem=256 * n * cost.r
        )
