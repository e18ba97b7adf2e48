"""What the trouble watch looks at, without anything an archive said in its own words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from sqlalchemy.exc import SQLAlchemyError

from node import NodeError
from service.dashboard.board import Board
from service.dashboard.workers import SignOfLife


def lasting_trouble(
    problems: Callable[[], Mapping[str, str]],
    workers: Callable[[], Sequence[SignOfLife]],
) -> dict[str, str]:
    """What is wrong now, by component, and workers that gave no sign of life for too long.

    Of deliveries only the part before the archive's own comment is taken: archives may name the
    patient in it.
    """
    found = {
        component: text.partition(";")[0] if component.startswith("delivery ") else text
        for component, text in problems().items()
    }
    try:
        silent = [sign for sign in workers() if sign.silent]
    except NodeError:  # the database is away, which `problems` says
        return found
    return found | {
        f"worker {sign.name}": f"no sign of life for {sign.silent_seconds:.0f} s" for sign in silent
    }


def final_trouble(board: Board) -> dict[str, str] | None:
    """Jobs that failed and deliveries that were given up; None while nobody can know."""
    try:
        rows = board.snapshot().rows
    except SQLAlchemyError:
        return None
    found: dict[str, str] = {}
    for row in rows:
        if row.state == "failed":
            found[f"job {row.id}"] = "failed; 'spinenode jobs show' says why"
        for mark in row.deliveries:
            if mark.state == "failed":
                found[f"job {row.id} to {mark.destination}"] = "given up; retry it on its page"
    return found
