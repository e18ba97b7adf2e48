"""Ending associations that do not end by themselves: with an A-ABORT (PS3.8 Section 9.3.8)."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final

from pynetdicom.association import Association

from node.bounded_socket import BoundedSocket

SENT_SECONDS: Final = 0.5
"""For an A-ABORT to go out; whoever waits inside a PDU meanwhile is interrupted."""
ENDED_SECONDS: Final = 2.0
POLL_SECONDS: Final = 0.01
CLOSED, AWAITING_CLOSE = "Sta1", "Sta13"


def abort(associations: Sequence[Association]) -> None:
    """Abort associations side by side and return when they ended, or were made to."""
    for each in associations:
        each.abort(block=False)
    _wait(lambda: all(_is_in(each, CLOSED, AWAITING_CLOSE) for each in associations), SENT_SECONDS)
    for each in associations:
        if isinstance(connection := each.dul.socket, BoundedSocket):
            connection.interrupt()
    _wait(lambda: all(_is_in(each, CLOSED) for each in associations), ENDED_SECONDS)
    for each in associations:
        each.kill()


def _is_in(association: Association, *states: str) -> bool:
    upper_layer = association.dul
    return not upper_layer.is_alive() or upper_layer.state_machine.current_state in states


def _wait(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
