"""HTTP connections that must say what they want in time.

uvicorn waits for ever for the first request of a connection, or for the rest of one; a few hundred
silent connections would keep everybody else out.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

REQUEST_SECONDS = 10.0
"""For a whole request with its form, from the beginning of the connection or of the last answer."""


class TimedProtocol(H11Protocol):
    """Closes a connection on which no whole request arrives in time."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._overdue: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """The time begins."""
        super().connection_made(transport)
        self._await_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is awaited any more."""
        if self._overdue is not None:
            self._overdue.cancel()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """The time begins again."""
        super().on_response_complete()
        self._await_request()

    def _await_request(self) -> None:
        if self._overdue is not None:
            self._overdue.cancel()
        self._overdue = self.loop.call_later(REQUEST_SECONDS, self._close_unless_at_work)

    def _close_unless_at_work(self) -> None:
        at_work = (
            self.cycle is not None and not self.cycle.response_complete and not self.cycle.more_body
        )
        if not at_work and not self.transport.is_closing():
            self.transport.close()
