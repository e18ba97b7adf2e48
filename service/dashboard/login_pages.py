"""The login form, and the way out."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from service.dashboard.doorkeeper import Doorkeeper, TooManyTries
from service.dashboard.guard import own_page, set_cookie
from service.dashboard.origin import client_address
from service.dashboard.rendering import Renderer

_WRONG = "Name and password do not match."


class LoginPages:
    """Names and passwords in, sessions out."""

    def __init__(self, keeper: Doorkeeper, renderer: Renderer) -> None:
        self._keeper = keeper
        self._renderer = renderer

    async def form(self, request: Request) -> Response:
        """The form; whoever is logged in already goes to the queue."""
        if request.state.visitor is not None:
            return RedirectResponse("/", status_code=303)
        return self._form(request, request.query_params.get("next", "/"), "", 200)

    async def log_in(self, request: Request) -> Response:
        """Open a session under a new token, whatever token the browser had before."""
        form = request.state.form
        name, password = form.get("name", "").strip(), form.get("password", "")
        page = own_page(form.get("next", "/"))
        try:
            token = await run_in_threadpool(
                self._keeper.log_in, name, password, client_address(request.scope)
            )
        except TooManyTries as error:
            text = f"Too many failed logins. The next try is looked at in {error.seconds} s."
            answer = self._form(request, page, text, 429)
            answer.headers["Retry-After"] = str(error.seconds)
            return answer
        if token is None:
            return self._form(request, page, _WRONG, 401)
        answer = RedirectResponse(page, status_code=303)
        set_cookie(MutableHeaders(raw=answer.raw_headers), request.scope, token)
        return answer

    async def log_out(self, request: Request) -> Response:
        """End the session."""
        self._keeper.log_out(request.state.browser, client_address(request.scope))
        return RedirectResponse("/login", status_code=303)

    def _form(self, request: Request, page: str, problem: str, status_code: int) -> Response:
        return self._renderer.page(
            request, "login.html", status_code=status_code, next=own_page(page), problem=problem
        )
