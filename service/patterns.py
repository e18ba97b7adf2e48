"""Patterns of the rules: a fragment, or with ``*`` and ``?`` the whole text; case is ignored."""

from __future__ import annotations

import re
from collections.abc import Iterable


def matches(pattern: str, text: str) -> bool:
    """Whether a text fits a pattern: ``lung`` anywhere in it, ``B7*`` from beginning to end."""
    if not any(sign in pattern for sign in "*?"):
        return pattern.casefold() in text.casefold()
    parts = re.split(r"([*?])", pattern)
    expression = "".join({"*": ".*", "?": "."}.get(part, re.escape(part)) for part in parts)
    return re.fullmatch(expression, text, re.IGNORECASE | re.DOTALL) is not None


def first_match(patterns: Iterable[str], text: str) -> str | None:
    """The first pattern that a text fits, or None."""
    return next((pattern for pattern in patterns if matches(pattern, text)), None)


def place_among(patterns: tuple[str, ...], text: str) -> int:
    """Position of the first pattern that fits; behind all of them where none does."""
    return next((n for n, each in enumerate(patterns) if matches(each, text)), len(patterns))
