"""Routes of the dashboard port."""

from __future__ import annotations

import sqlite3

from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from node import Retryable
from service.dashboard.accounts import Accounts
from service.dashboard.doorkeeper import Doorkeeper
from service.dashboard.guard import Guard
from service.dashboard.headers import SecurityHeaders
from service.dashboard.job_pages import JobPages, NotAllowed, NotThere
from service.dashboard.left_out_pages import LeftOutPages
from service.dashboard.login_pages import LoginPages
from service.dashboard.probes import Probes
from service.dashboard.queue_pages import QueuePages
from service.dashboard.rendering import Renderer
from service.dashboard.sessions import Sessions
from service.dashboard.sources import DashboardSources
from service.dashboard.system_pages import SystemPages
from service.errors import UsageError


def dashboard_app(sources: DashboardSources) -> Starlette:
    """Build the ASGI application."""
    accounts = Accounts(lambda: sources.config().service.dashboard.users)
    sessions = Sessions(lambda: 60 * sources.config().service.dashboard.session_idle_minutes)
    keeper = Doorkeeper(accounts, sessions, sources.auditor)
    renderer = Renderer(lambda: sources.config().node.ae_title)
    errors = _Errors(renderer)
    return Starlette(
        routes=_routes(sources, renderer, keeper),
        middleware=[
            Middleware(SecurityHeaders),
            Middleware(
                Guard,
                keeper=keeper,
                settings=lambda: sources.config().service.dashboard,
                auditor=sources.auditor,
            ),
        ],
        exception_handlers={
            NotThere: errors.not_there,
            NotAllowed: errors.not_allowed,
            UsageError: errors.not_now,
            SQLAlchemyError: errors.no_database,
            sqlite3.Error: errors.no_database,
            Retryable: errors.no_database,
            HTTPException: errors.other,
        },
    )


def _routes(
    sources: DashboardSources, renderer: Renderer, keeper: Doorkeeper
) -> list[Route | Mount]:
    queue, job = QueuePages(sources, renderer), JobPages(sources, renderer)
    system, login = SystemPages(sources, renderer), LoginPages(keeper, renderer)
    left_out, probes = LeftOutPages(sources, renderer), Probes(sources)
    return [
        Route("/", queue.queue),
        Route("/live/queue", queue.live),
        Route("/jobs/{job_id}", job.job),
        Route("/live/jobs/{job_id}", job.live),
        Route("/jobs/{job_id}/pictures/{name}", job.picture),
        Route("/jobs/{job_id}/report.pdf", job.report),
        Route("/jobs/{job_id}/patient", job.patient),
        Route("/jobs/{job_id}/retry", job.retry, methods=["POST"]),
        Route("/jobs/{job_id}/cancel", job.cancel, methods=["POST"]),
        Route("/left-out", left_out.page),
        Route("/live/left-out", left_out.live),
        Route("/systems", system.systems),
        Route("/live/systems", system.live),
        Route("/systems/echo/{key}", system.echo, methods=["POST"]),
        Route("/login", login.form),
        Route("/login", login.log_in, methods=["POST"]),
        Route("/logout", login.log_out, methods=["POST"]),
        Route("/health/live", probes.live),
        Route("/health/ready", probes.ready),
        Route("/metrics", probes.metrics),
        Mount("/static", StaticFiles(packages=[("service.dashboard", "static")])),
    ]


class _Errors:
    """Pages for what cannot be shown."""

    def __init__(self, renderer: Renderer) -> None:
        self._renderer = renderer

    async def not_there(self, request: Request, error: Exception) -> Response:
        return self._page(request, 404, "Not found", str(error))

    async def not_allowed(self, request: Request, error: Exception) -> Response:
        del error
        text = "Your role does not include this. Somebody who runs this node can change it."
        return self._page(request, 403, "Not allowed", text)

    async def not_now(self, request: Request, error: Exception) -> Response:
        return self._page(request, 409, "Nothing to do", f"{error}".capitalize() + ".")

    async def no_database(self, request: Request, error: Exception) -> Response:
        text = (
            "The queue's database cannot be reached. Received images are safe on disk; work goes "
            f"on as soon as it answers ({type(error).__name__})."
        )
        return self._page(request, 503, "No database", text)

    async def other(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return self._page(request, error.status_code, error.detail, "")

    def _page(self, request: Request, status_code: int, title: str, text: str) -> Response:
        return self._renderer.page(
            request, "message.html", status_code=status_code, title=title, text=text
        )
