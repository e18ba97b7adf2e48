"""The node and the machine under it: disk, device, versions, workers, partners."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from inference.weights import RELEASED
from service.config import Config
from service.dashboard.job_pages import NotAllowed, NotThere
from service.dashboard.machine import machine
from service.dashboard.queue_pages import problems_now
from service.dashboard.reachability import EchoResult, Partner, find_partner, partners
from service.dashboard.rendering import Renderer
from service.dashboard.sources import DashboardSources
from service.dashboard.workers import worker_lines
from service.queue import shown_url
from service.versions import versions


@dataclass(frozen=True)
class PartnerLine:
    """A peer or destination, and what the last C-ECHO gave."""

    partner: Partner
    result: EchoResult | None


class SystemPages:
    """Pages for whoever runs the machine."""

    def __init__(self, sources: DashboardSources, renderer: Renderer) -> None:
        self._sources = sources
        self._renderer = renderer

    async def systems(self, request: Request) -> Response:
        """The whole page."""
        values = await self._values()
        part = self._renderer.part(request, "systems_live.html", "/live/systems", **values)
        return self._renderer.page(request, "systems.html", part=part)

    async def live(self, request: Request) -> Response:
        """The part that renews itself."""
        values = await self._values()
        return self._renderer.renewed(request, "systems_live.html", "/live/systems", **values)

    async def echo(self, request: Request) -> Response:
        """Ask a partner with C-ECHO."""
        visitor = request.state.visitor
        if not visitor.may_operate:
            self._sources.auditor.audit_denied(visitor.name, "/systems/echo", "role")
            raise NotAllowed
        config = self._sources.config()
        partner = find_partner(config, request.path_params["key"])
        if partner is None or not partner.can_echo:
            raise NotThere("No such peer or destination can be asked.")
        await run_in_threadpool(self._sources.reachability.echo, config, partner)
        return RedirectResponse(f"/systems#{partner.key}", status_code=303)

    async def _values(self) -> dict[str, Any]:
        problems = {**await problems_now(self._sources), **self._sources.notices()}
        return await run_in_threadpool(self._look, problems)

    def _look(self, problems: dict[str, str]) -> dict[str, Any]:
        config = self._sources.config()
        snapshot = self._sources.board.snapshot()
        return {
            "announcement": f"{len(problems)} problems" if problems else "all well",
            "seconds": 5,
            "problems": problems,
            "config": config,
            "status": self._sources.node_status(),
            "machine": machine(config.node.spool, config.inference.device),
            "model": _model(config),
            "database": shown_url(config.database_url),
            "counts": snapshot.counts(),
            "workers": worker_lines(snapshot, self._sources.workers()),
            "partners": [
                PartnerLine(each, self._sources.reachability.last(each.key))
                for each in partners(config)
            ],
            "versions": versions(),
        }


def _model(config: Config) -> dict[str, str]:
    own = config.inference.weights
    if own is None:
        return {"name": RELEASED.name, "version": RELEASED.version, "sha256": RELEASED.sha256}
    return {"name": own.stem, "version": "own", "sha256": config.inference.weights_sha256}
