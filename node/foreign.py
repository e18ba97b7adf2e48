"""Calls of code that may raise anything: the service behind the node, the library below it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def attempt(call: Callable[[], T]) -> T | Exception:
    """Return what a call returned or raised.

    For threads that have to outlive every fault of somebody else's: a series whose consumer failed
    is handed over again, an association whose peer broke the library's decoder is closed.
    """
    try:
        return call()
    except Exception as error:  # noqa: BLE001 (what it is for)
        return error
