"""Pages from templates, and the parts of them that renew themselves."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from service.dashboard import wording
from service.dashboard.guard import FORM_FIELD

SEEN = "seen"
"""Parameter of a part: what the browser shows already."""


class Renderer:
    """Fills templates.

    Parameters
    ----------
    node_name
        Shown on every page, asked each time.
    """

    def __init__(self, node_name: Callable[[], str]) -> None:
        self._node_name = node_name
        self._templates = Environment(
            loader=PackageLoader("service.dashboard"),
            autoescape=select_autoescape(),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters.update(wording.FILTERS)

    def page(
        self, request: Request, template: str, status_code: int = 200, **values: Any
    ) -> Response:
        """One whole page."""
        return HTMLResponse(self._render(request, template, values), status_code=status_code)

    def part(self, request: Request, template: str, address: str, **values: Any) -> Markup:
        """A part of a page, wrapped so that it renews itself from `address`.

        It is not sent again while it stays the same, so that focus and selection stay where they
        are and screen readers are left in peace.
        """
        content = self._render(request, template, values)
        seen = _digest(content)
        joint = "&" if "?" in address else "?"
        wrapped = self._render(
            request,
            "live.html",
            {
                "content": Markup(content),
                "address": f"{address}{joint}{SEEN}={seen}",
                "announcement": values.get("announcement", ""),
                "seconds": values.get("seconds", 2),
            },
        )
        return Markup(wrapped)

    def renewed(self, request: Request, template: str, address: str, **values: Any) -> Response:
        """The part again, or 204 where the browser shows it already."""
        part = self.part(request, template, address, **values)
        if f"{SEEN}={request.query_params.get(SEEN, '-')}" in part:
            return Response(status_code=204)
        return HTMLResponse(part)

    def _render(self, request: Request, template: str, values: dict[str, Any]) -> str:
        state = request.scope.get("state", {})
        return self._templates.get_template(template).render(
            node=self._node_name(),
            visitor=state.get("visitor"),
            csrf=state.get("csrf", ""),
            csrf_field=FORM_FIELD,
            here=request.url.path,
            zone=wording.zone(),
            **values,
        )


def _digest(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()[:12]
