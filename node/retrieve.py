"""What became of the retrieval of one series, whichever service fetched it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Progress = Callable[[int, int], None]
"""Told (images arrived, images announced by now) while a series is on its way."""


@dataclass(frozen=True)
class Retrieval:
    """How many instances of a series arrived, and how many the archive could not send.

    Attributes
    ----------
    comment
        Why some failed, in the archive's words or ours; no patient data.
    """

    completed: int
    failed: int
    comment: str = ""


def unwatched(arrived: int, announced: int) -> None:
    """Watch nothing."""
    del arrived, announced
