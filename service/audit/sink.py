"""Where audit messages end up."""

from __future__ import annotations

from typing import Protocol

from service.errors import RetryableError


class SinkUnavailable(RetryableError):
    """A message could not be written now."""


class Sink(Protocol):
    """Takes one message after the other, from one thread."""

    @property
    def name(self) -> str:
        """How logs and metrics call it."""

    def write(self, xml: bytes) -> None:
        """Write one message, or raise `SinkUnavailable`."""

    def close(self) -> None:
        """Release what is open."""
