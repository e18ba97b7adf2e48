"""The progress of a fetch on a terminal: one bar for the series, one for the images of this one."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from service.fetch.watch import Unwatched, Watch


@contextmanager
def shown_progress() -> Iterator[Watch]:
    """Yield who is told: bars on a terminal, nobody in a pipe."""
    if not sys.stderr.isatty():
        yield Unwatched()
        return
    columns = (
        TextColumn("{task.description:<10}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[doing]}"),
    )
    with Progress(*columns, console=Console(stderr=True)) as bars:
        yield Bars(bars)


class Bars:
    """Satisfies `service.fetch.watch.Watch`."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._asking = bars.add_task("archive", total=None, doing="", visible=False)
        self._all = bars.add_task("series", total=None, doing="", visible=False)
        self._one = bars.add_task("images", total=None, doing="", visible=False)

    def asked(self, questions: int, total: int) -> None:
        """See `Watch`."""
        self._bars.update(self._asking, completed=questions, total=total, visible=True)

    def series(self, number: int, total: int) -> None:
        """See `Watch`."""
        self._bars.update(self._asking, visible=False)
        self._bars.update(self._all, completed=number - 1, total=total, visible=True, doing="")
        self._bars.update(self._one, visible=False)

    def images(self, arrived: int, announced: int) -> None:
        """See `Watch`."""
        self._bars.update(self._one, completed=arrived, total=announced, visible=True)

    def doing(self, what: str) -> None:
        """See `Watch`."""
        self._bars.update(self._all, doing=what)
