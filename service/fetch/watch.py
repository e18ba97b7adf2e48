"""Who is told how a fetch goes on; a terminal draws it (`service.fetch.display`)."""

from __future__ import annotations

from typing import Protocol


class Watch(Protocol):
    """Told of the progress of a fetch."""

    def asked(self, questions: int, total: int) -> None:
        """So many of the questions to the archive are answered."""

    def series(self, number: int, total: int) -> None:
        """The series of that number, from 1, is next; none is behind the last."""

    def images(self, arrived: int, announced: int) -> None:
        """So many of its images are here."""

    def doing(self, what: str) -> None:
        """What is done meanwhile, in two or three words."""


class Unwatched:
    """Nobody is told."""

    def asked(self, questions: int, total: int) -> None:
        """See `Watch`."""

    def series(self, number: int, total: int) -> None:
        """See `Watch`."""

    def images(self, arrived: int, announced: int) -> None:
        """See `Watch`."""

    def doing(self, what: str) -> None:
        """See `Watch`."""
