"""What the monitoring asks: liveness, readiness, metrics."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from service.dashboard.queue_pages import problems_now
from service.dashboard.sources import DashboardSources


class Probes:
    """Answers for programs."""

    def __init__(self, sources: DashboardSources) -> None:
        self._sources = sources

    async def live(self, request: Request) -> Response:
        """The process answers."""
        del request
        return JSONResponse({"status": "live"})

    async def ready(self, request: Request) -> Response:
        """200, or 503 with what is wrong; archives that take nothing are named in either."""
        del request
        problems = await problems_now(self._sources)
        status = "not ready" if problems else "ready"
        content: dict[str, object] = {"status": status, "reasons": problems}
        if notices := self._sources.notices():
            content["notices"] = notices
        return JSONResponse(content, status_code=503 if problems else 200)

    async def metrics(self, request: Request) -> Response:
        """Prometheus text."""
        del request
        text = await run_in_threadpool(self._sources.exposition)
        return Response(text, media_type="text/plain; version=0.0.4")
