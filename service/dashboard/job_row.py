"""One job as the queue page shows it, and which jobs a visitor asked for."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

PAGE_SIZE = 50
TROUBLE = "trouble"
"""Filter: whatever somebody should look at, analyses and deliveries alike."""
STATES = ("running", "queued", "analysed", "not_analysable", "failed", "cancelled")
FILTERS = ("all", TROUBLE, *STATES)


@dataclass(frozen=True)
class DeliveryMark:
    """The latest delivery to one destination."""

    destination: str
    workflow_id: str
    state: str


@dataclass(frozen=True)
class JobRow:
    """What the queue knows of a job without opening its folder; times in epoch milliseconds.

    Attributes
    ----------
    workflow_id
        Of the latest run; `runs` counts them.
    queued_ms
        When the latest run was queued; `created_ms` is when the first was.
    worker
        Who took the job last.
    """

    id: str
    workflow_id: str
    state: str
    stat: bool
    created_ms: int
    queued_ms: int
    started_ms: int | None
    ended_ms: int | None
    worker: str | None
    runs: int
    deliveries: tuple[DeliveryMark, ...]

    @property
    def troubled(self) -> bool:
        """Whether somebody should look at it."""
        return self.state == "failed" or any(mark.state == "failed" for mark in self.deliveries)

    @property
    def can_retry(self) -> bool:
        """Whether `spinenode jobs retry` would do something."""
        return self.state in ("failed", "cancelled") or any(
            mark.state in ("failed", "cancelled") for mark in self.deliveries
        )

    @property
    def can_cancel(self) -> bool:
        """Whether `spinenode jobs cancel` would do something."""
        return self.state in ("queued", "running") or any(
            mark.state in ("queued", "sending") for mark in self.deliveries
        )


@dataclass(frozen=True)
class Question:
    """What a visitor wants to see of the queue; unknown values mean everything."""

    state: str = "all"
    text: str = ""
    page: int = 1


@dataclass(frozen=True)
class Page:
    """One page of the answer; `first` counts from 1, 0 for an empty page."""

    rows: tuple[JobRow, ...]
    number: int
    pages: int
    total: int

    @property
    def first(self) -> int:
        """Number of its first row."""
        return (self.number - 1) * PAGE_SIZE + 1 if self.rows else 0

    @property
    def last(self) -> int:
        """Number of its last row."""
        return self.first + len(self.rows) - 1 if self.rows else 0


def answer(
    rows: Sequence[JobRow], question: Question, uids: Callable[[str], Sequence[str]]
) -> Page:
    """The page of the rows that fit a question; past the end, the last page.

    Parameters
    ----------
    uids
        Study and series UID of a job, asked only when the text could be one.
    """
    fitting = [row for row in rows if _in_state(row, question.state)]
    for word in question.text.casefold().split():
        fitting = [row for row in fitting if _says(row, word, uids)]
    pages = max(1, math.ceil(len(fitting) / PAGE_SIZE))
    number = min(max(1, question.page), pages)
    start = (number - 1) * PAGE_SIZE
    return Page(tuple(fitting[start : start + PAGE_SIZE]), number, pages, len(fitting))


def _in_state(row: JobRow, state: str) -> bool:
    if state == TROUBLE:
        return row.troubled
    return state not in STATES or row.state == state


def _says(row: JobRow, word: str, uids: Callable[[str], Sequence[str]]) -> bool:
    if row.id.startswith(word) or (word == "stat" and row.stat):
        return True
    if word in (row.worker or "").casefold():
        return True
    if any(word in mark.destination.casefold() for mark in row.deliveries):
        return True
    looks_like_uid = "." in word and word.replace(".", "").isdigit()
    return looks_like_uid and any(word in uid for uid in uids(row.id))
