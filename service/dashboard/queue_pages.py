"""The queue, live: who works on what, and every job with its state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

import anyio
import anyio.to_thread
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from service.dashboard.board import Snapshot
from service.dashboard.job_detail import steps_done
from service.dashboard.job_row import FILTERS, TROUBLE, JobRow, Page, Question, answer
from service.dashboard.records import Outcome, RequestFacts
from service.dashboard.rendering import Renderer
from service.dashboard.sources import DashboardSources
from service.dashboard.wording import now_ms
from service.dashboard.workers import overdue
from service.steps import STEPS

_PATIENCE_SECONDS = 3.0
_MOST_TEXT = 80
_DAY_MS = 24 * 3600 * 1000


@dataclass(frozen=True)
class Line:
    """A job of the table, with what its folder and its steps say.

    `abandoned`: its worker gives no sign of life, and nobody has taken the job over yet.
    """

    row: JobRow
    facts: RequestFacts | None
    outcome: Outcome | None
    done: int
    step: str
    abandoned: bool = False

    @property
    def steps(self) -> int:
        """How many steps there are."""
        return len(STEPS)


@dataclass(frozen=True)
class Overview:
    """The numbers above the table."""

    running: int
    waiting: int
    waiting_since_ms: int | None
    finished_today: int
    troubled: int


class QueuePages:
    """The first page."""

    def __init__(self, sources: DashboardSources, renderer: Renderer) -> None:
        self._sources = sources
        self._renderer = renderer

    async def queue(self, request: Request) -> Response:
        """The whole page."""
        question = asked(request.query_params)
        values = await self._values(question)
        part = self._renderer.part(
            request, "queue_live.html", _address("/live/queue", question), **values
        )
        return self._renderer.page(request, "queue.html", part=part, question=question)

    async def live(self, request: Request) -> Response:
        """The part that renews itself."""
        question = asked(request.query_params)
        values = await self._values(question)
        address = _address("/live/queue", question)
        return self._renderer.renewed(request, "queue_live.html", address, **values)

    async def _values(self, question: Question) -> dict[str, Any]:
        problems = {**await problems_now(self._sources), **self._sources.notices()}
        return await run_in_threadpool(self._look, question, problems)

    def _look(self, question: Question, problems: dict[str, str]) -> dict[str, Any]:
        snapshot = self._sources.board.snapshot()
        page = answer(snapshot.rows, question, self._sources.records.uids)
        overview = _overview(snapshot)
        is_silent = overdue(self._sources.workers())
        return {
            "announcement": f"{overview.running} running, {overview.waiting} waiting, "
            f"{overview.troubled} need attention",
            "problems": problems,
            "overview": overview,
            "at_work": [
                replace(self._line(row), abandoned=is_silent(row.worker or ""))
                for row in snapshot.running()
            ],
            "lines": [self._line(row) for row in page.rows],
            "page": page,
            "question": question,
            "tabs": _tabs(snapshot, question),
            "earlier": _neighbour(question, page, -1),
            "later": _neighbour(question, page, +1),
            "ever": bool(snapshot.rows),
        }

    def _line(self, row: JobRow) -> Line:
        records = self._sources.records
        done: tuple[str, ...] = ()
        if row.state == "running":
            done = steps_done(self._sources.board, row.workflow_id)
        return Line(
            row=row,
            facts=records.facts(row.id),
            outcome=records.outcome(row.id) if row.ended_ms is not None else None,
            done=len(done),
            step=next((name for name in STEPS if name not in done), "finish"),
        )


async def problems_now(sources: DashboardSources) -> dict[str, str]:
    """What is wrong now; checks that hang are a finding themselves."""
    with anyio.move_on_after(_PATIENCE_SECONDS):
        return await anyio.to_thread.run_sync(sources.problems, abandon_on_cancel=True)
    return {"checks": f"no answer within {_PATIENCE_SECONDS:.0f} s"}


def asked(parameters: Mapping[str, str]) -> Question:
    """What the address asks for."""
    page = parameters.get("page", "")
    state = parameters.get("state", "all")
    return Question(
        state=state if state in FILTERS else "all",
        text=" ".join(parameters.get("text", "").split())[:_MOST_TEXT],
        page=int(page) if page.isascii() and page.isdigit() and len(page) < 7 else 1,
    )


def _address(path: str, question: Question) -> str:
    values = {"state": question.state, "text": question.text, "page": str(question.page)}
    defaults = {"state": "all", "text": "", "page": "1"}
    asked_for = {key: value for key, value in values.items() if value != defaults[key]}
    return f"{path}?{urlencode(asked_for)}" if asked_for else path


def _neighbour(question: Question, page: Page, step: int) -> str:
    """Address of the page before or after; empty where there is none."""
    number = page.number + step
    if not 1 <= number <= page.pages:
        return ""
    return _address("/", Question(question.state, question.text, number))


def _tabs(snapshot: Snapshot, question: Question) -> list[dict[str, Any]]:
    counts = snapshot.counts()
    counts["all"] = len(snapshot.rows)
    counts[TROUBLE] = sum(1 for row in snapshot.rows if row.troubled)
    return [
        {
            "state": state,
            "count": counts.get(state, 0),
            "address": _address("/", Question(state, question.text)),
            "chosen": state == question.state,
        }
        for state in FILTERS
    ]


def _overview(snapshot: Snapshot) -> Overview:
    waiting = [row.queued_ms for row in snapshot.rows if row.state == "queued"]
    since = now_ms() - _DAY_MS
    return Overview(
        running=sum(1 for row in snapshot.rows if row.state == "running"),
        waiting=len(waiting),
        waiting_since_ms=min(waiting, default=None),
        finished_today=sum(
            1
            for row in snapshot.rows
            if row.state in ("analysed", "not_analysable") and (row.ended_ms or 0) > since
        ),
        troubled=sum(1 for row in snapshot.rows if row.troubled),
    )
