"""Series that came and were not analysed, and why; and those that still wait for their study."""

from __future__ import annotations

from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from service.dashboard.rendering import Renderer
from service.dashboard.sources import DashboardSources

_LISTED = 200
_ADDRESS = "/live/left-out"


class LeftOutPages:
    """What became of series that are no job."""

    def __init__(self, sources: DashboardSources, renderer: Renderer) -> None:
        self._sources = sources
        self._renderer = renderer

    async def page(self, request: Request) -> Response:
        """The whole page."""
        values = await run_in_threadpool(self._look)
        part = self._renderer.part(request, "left_out_live.html", _ADDRESS, **values)
        return self._renderer.page(request, "left_out.html", part=part)

    async def live(self, request: Request) -> Response:
        """The part that renews itself."""
        values = await run_in_threadpool(self._look)
        return self._renderer.renewed(request, "left_out_live.html", _ADDRESS, **values)

    def _look(self) -> dict[str, Any]:
        left_out, waiting = self._sources.left_out(), self._sources.waiting()
        return {
            "announcement": f"{len(left_out)} left out, {len(waiting)} waiting for their study",
            "seconds": 5,
            "left_out": left_out[:_LISTED],
            "total": len(left_out),
            "waiting": waiting,
        }
