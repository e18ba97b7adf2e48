"""Shares one durable commit among the threads that wait for one at the same time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")


@dataclass
class _Ticket(Generic[Item, Answer]):
    item: Item
    answer: Answer | None = None
    error: OSError | None = None
    is_done: bool = False


class GroupCommit(Generic[Item, Answer]):
    """Collects items while a commit is under way; the next one takes them all.

    Parameters
    ----------
    commit
        Commits items in one transaction, all or none, and returns one answer for each.
    """

    def __init__(self, commit: Callable[[Sequence[Item]], Sequence[Answer]]) -> None:
        self._commit = commit
        self._collecting = threading.Lock()
        self._committing = threading.Lock()
        self._waiting: list[_Ticket[Item, Answer]] = []

    def add(self, item: Item) -> Answer:
        """Return the answer for an item once it is committed.

        Raises
        ------
        OSError
            The commit failed; then none of its items is committed.
        """
        ticket: _Ticket[Item, Answer] = _Ticket(item)
        with self._collecting:
            self._waiting.append(ticket)
        with self._committing:
            if not ticket.is_done:
                self._commit_waiting()
        if ticket.answer is None:
            raise ticket.error or OSError("the commit of another thread failed")
        return ticket.answer

    def _commit_waiting(self) -> None:
        with self._collecting:
            batch, self._waiting = self._waiting, []
        try:
            answers = self._commit([ticket.item for ticket in batch])
            for ticket, answer in zip(batch, answers, strict=True):
                ticket.answer = answer
        except OSError as error:
            for ticket in batch:
                ticket.error = error
        finally:
            for ticket in batch:
                ticket.is_done = True
