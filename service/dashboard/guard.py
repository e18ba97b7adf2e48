"""The gate before every page: who asks, from where, and whether a form is genuine."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from urllib.parse import quote, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.config import DashboardConfig
from service.dashboard.accounts import ANYBODY, Visitor
from service.dashboard.audit import AccessAuditor
from service.dashboard.doorkeeper import Doorkeeper, TooManyTries
from service.dashboard.forms import FormUnreadable, read_form
from service.dashboard.origin import client_address, from_own_pages, is_loopback, named_by_address

HEALTH = ("/health/live", "/health/ready")
LIVE = "/live/"
"""Parts that a page asks for by itself; they do not keep a session alive."""
FORM_FIELD = "csrf"
_LOGIN = "/login"
_COUNTED = ("/metrics",)
_READING = ("GET", "HEAD")
_OWN_PAGE = re.compile(r"/(?:jobs/[0-9a-f]{1,64}|left-out|systems)?")
_LOCKED = (
    "Pages on an address other than loopback need users, and none are configured. Make a hash with "
    "'spinenode hash-password', enter it under service.dashboard.users and restart."
)


class Guard:
    """Lets a request through with ``state.visitor``, ``state.csrf`` and ``state.form`` set.

    Parameters
    ----------
    settings
        Where the pages listen, asked at each request.
    """

    def __init__(
        self,
        app: ASGIApp,
        keeper: Doorkeeper,
        settings: Callable[[], DashboardConfig],
        auditor: AccessAuditor,
    ) -> None:
        self._app = app
        self._keeper = keeper
        self._settings = settings
        self._auditor = auditor

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a refusal, or pass the request on."""
        if scope["type"] != "http" or scope["path"] in HEALTH:
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        name = cookie_name(scope)
        browser = connection.cookies.get(name, "")
        fresh = "" if browser else secrets.token_urlsafe(32)
        state = scope.setdefault("state", {})
        state["browser"] = browser or fresh
        state["csrf"] = self._keeper.form_tokens.token(browser or fresh)
        refusal = await self._decide(scope, receive, connection, browser)
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        if fresh and scope["method"] in _READING:
            send = with_cookie(send, scope, fresh)
        await self._app(scope, receive, send)

    async def _decide(
        self, scope: Scope, receive: Receive, connection: HTTPConnection, browser: str
    ) -> Response | None:
        headers = connection.headers
        if self._keeper.accounts.configured():
            try:
                visitor = await run_in_threadpool(self._who, scope, headers, browser)
            except TooManyTries as error:
                return _too_many(error)
        else:
            refusal = self._without_users(scope, headers)
            if refusal is not None:
                return refusal
            visitor = ANYBODY
        open_to_all = scope["path"] == _LOGIN or scope["path"].startswith("/static/")
        if visitor is None and not open_to_all:
            return _ask_to_log_in(scope, headers)
        scope["state"]["visitor"] = visitor
        if scope["method"] in _READING:
            return None
        return await self._check_form(scope, receive, headers, browser)

    def _who(self, scope: Scope, headers: Headers, browser: str) -> Visitor | None:
        visitor = self._keeper.by_session(browser) if browser else None
        if visitor is not None:
            if not scope["path"].startswith(LIVE):
                self._keeper.sessions.prolong(browser)
            return visitor
        # A browser sends remembered Basic credentials by itself, so they only read.
        authorization = headers.get("authorization", "")
        if authorization and scope["method"] in _READING:
            return self._keeper.by_basic(authorization, client_address(scope))
        return None

    def _without_users(self, scope: Scope, headers: Headers) -> Response | None:
        if scope["path"] in _COUNTED or scope["path"].startswith("/static/"):
            return None
        if not is_loopback(self._settings().host):
            return PlainTextResponse(_LOCKED, status_code=403)
        if not named_by_address(headers):
            return PlainTextResponse(
                "Without configured users these pages answer to localhost only.", status_code=421
            )
        return None

    async def _check_form(
        self, scope: Scope, receive: Receive, headers: Headers, browser: str
    ) -> Response | None:
        try:
            form = await read_form(scope, receive)
        except FormUnreadable:
            return PlainTextResponse("This is not a form of these pages.", status_code=400)
        token = form.get(FORM_FIELD, "") or headers.get("x-csrf-token", "")
        if not from_own_pages(headers) or not self._keeper.form_tokens.valid(browser, token):
            visitor = scope["state"]["visitor"]
            self._auditor.audit_denied(visitor.name if visitor else "", scope["path"], "forged")
            return PlainTextResponse(
                "This form is out of date, or came from another site. Go back, reload the page and "
                "try again.",
                status_code=403,
            )
        scope["state"]["form"] = form
        return None


def cookie_name(scope: Scope) -> str:
    """Cookies know no ports: two nodes on one host need two names (``__Host-``: RFC 6265bis)."""
    server = scope.get("server") or ("", 0)
    prefix = "__Host-" if scope["scheme"] == "https" else ""
    return f"{prefix}spinenode-{server[1]}"


def set_cookie(response_headers: MutableHeaders, scope: Scope, token: str) -> None:
    """Give the browser its token; it ends with the browser, or with the session."""
    secure = "; Secure" if scope["scheme"] == "https" else ""
    response_headers.append(
        "Set-Cookie", f"{cookie_name(scope)}={token}; Path=/; HttpOnly; SameSite=Strict{secure}"
    )


def with_cookie(send: Send, scope: Scope, token: str) -> Send:
    """Give a browser without a token one along with the page it asked for."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            if headers.get("content-type", "").startswith("text/html"):
                set_cookie(headers, scope, token)
        await send(message)

    return sending


def own_page(path: str) -> str:
    """A page to return to after the login: one of ours, or the queue."""
    return path if _OWN_PAGE.fullmatch(path) else "/"


def _ask_to_log_in(scope: Scope, headers: Headers) -> Response:
    """Browsers get the form, parts of a page reload it, programs are told of Basic."""
    if "hx-request" in headers:
        page = own_page(urlsplit(headers.get("hx-current-url", "")).path)
        return Response(status_code=401, headers={"HX-Redirect": f"{_LOGIN}?next={quote(page)}"})
    if "text/html" in headers.get("accept", ""):
        page = own_page(scope["path"])
        return RedirectResponse(f"{_LOGIN}?next={quote(page)}", status_code=303)
    return PlainTextResponse(
        "login required",
        status_code=401,
        headers={"WWW-Authenticate": 'Basic realm="spinenode", charset="UTF-8"'},
    )


def _too_many(error: TooManyTries) -> Response:
    return PlainTextResponse(
        f"Too many failed logins; try again in {error.seconds} s.",
        status_code=429,
        headers={"Retry-After": str(error.seconds)},
    )
