"""Routes of the dashboard port."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, select_autoescape
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from service.dashboard.access import LoginRequired
from service.errors import UsageError
from service.jobs import Jobs

_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; style-src 'self'; img-src 'self' data:; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True)
class DashboardSources:
    """What the pages show, asked at each request.

    Attributes
    ----------
    problems
        What is wrong now, by component; empty when the service is ready.
    results_folder
        Folder of the result files of a job.
    exposition
        Prometheus text.
    """

    jobs: Jobs
    problems: Callable[[], dict[str, str]]
    results_folder: Callable[[str], Path]
    exposition: Callable[[], bytes]
    node_name: str


def dashboard_app(sources: DashboardSources, users: dict[str, str]) -> Starlette:
    """Build the ASGI application."""
    pages = _Pages(sources)
    return Starlette(
        routes=[
            Route("/", pages.queue),
            Route("/jobs/{job_id}", pages.job),
            Route("/jobs/{job_id}/overview.png", pages.overview),
            Route("/jobs/{job_id}/report.pdf", pages.report),
            Route("/health/live", pages.live),
            Route("/health/ready", pages.ready),
            Route("/metrics", pages.metrics),
            Mount("/static", StaticFiles(packages=[("service.dashboard", "static")])),
        ],
        middleware=[Middleware(LoginRequired, users=users)],
        exception_handlers={UsageError: pages.unknown},
    )


class _Pages:
    def __init__(self, sources: DashboardSources) -> None:
        self._sources = sources
        self._templates = Environment(
            loader=PackageLoader("service.dashboard"), autoescape=select_autoescape()
        )

    async def queue(self, request: Request) -> Response:
        jobs = await run_in_threadpool(self._sources.jobs.recent)
        problems = await run_in_threadpool(self._sources.problems)
        part = "queue_rows.html" if "hx-request" in request.headers else "queue.html"
        return self._page(part, jobs=jobs, problems=problems)

    async def job(self, request: Request) -> Response:
        job_id = request.path_params["job_id"]
        view = await run_in_threadpool(self._sources.jobs.get, job_id)
        folder = self._sources.results_folder(view.id)
        findings = await run_in_threadpool(_read_findings, folder)
        part = "job_body.html" if "hx-request" in request.headers else "job.html"
        return self._page(
            part, job=view, findings=findings, has_overview=(folder / "overview.png").is_file()
        )

    async def overview(self, request: Request) -> Response:
        return await self._result_file(request, "overview.png", "image/png")

    async def report(self, request: Request) -> Response:
        return await self._result_file(request, "report.pdf", "application/pdf")

    async def live(self, request: Request) -> Response:
        del request
        return JSONResponse({"status": "live"}, headers=_HEADERS)

    async def ready(self, request: Request) -> Response:
        del request
        problems = await run_in_threadpool(self._sources.problems)
        status = "not ready" if problems else "ready"
        return JSONResponse(
            {"status": status, "reasons": problems},
            status_code=503 if problems else 200,
            headers=_HEADERS,
        )

    async def metrics(self, request: Request) -> Response:
        del request
        text = await run_in_threadpool(self._sources.exposition)
        return Response(text, media_type="text/plain; version=0.0.4", headers=_HEADERS)

    async def unknown(self, request: Request, error: Exception) -> Response:
        del request
        return HTMLResponse(
            self._templates.get_template("unknown.html").render(
                node=self._sources.node_name, text=str(error)
            ),
            status_code=404,
            headers=_HEADERS,
        )

    async def _result_file(self, request: Request, name: str, media_type: str) -> Response:
        view = await run_in_threadpool(self._sources.jobs.get, request.path_params["job_id"])
        path = self._sources.results_folder(view.id) / name
        if not path.is_file():
            raise UsageError(f"job {view.id} has no {name}")
        return FileResponse(path, media_type=media_type, headers=_HEADERS)

    def _page(self, template: str, **values: Any) -> Response:
        text = self._templates.get_template(template).render(node=self._sources.node_name, **values)
        return HTMLResponse(text, headers=_HEADERS)


def _read_findings(folder: Path) -> dict[str, Any] | None:
    path = folder / "findings.json"
    return json.loads(path.read_text()) if path.is_file() else None
