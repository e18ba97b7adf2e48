"""Who may see the pages: HTTP Basic against the configured users; health needs no login."""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Mapping

from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from service.dashboard.passwords import verify_password

_OPEN_PATHS = ("/health/live", "/health/ready")


class LoginRequired:
    """Ask for a configured user's password; without configured users every request passes."""

    def __init__(self, app: ASGIApp, users: Mapping[str, str]) -> None:
        self._app = app
        self._users = users

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 401, or pass the request on."""
        if scope["type"] != "http" or not self._users or scope["path"] in _OPEN_PATHS:
            await self._app(scope, receive, send)
            return
        if self._known(HTTPConnection(scope).headers.get("authorization", "")):
            await self._app(scope, receive, send)
            return
        refusal = PlainTextResponse(
            "login required",
            status_code=401,
            headers={"WWW-Authenticate": 'Basic realm="spinenode", charset="UTF-8"'},
        )
        await refusal(scope, receive, send)

    def _known(self, authorization: str) -> bool:
        scheme, _, encoded = authorization.partition(" ")
        if scheme.lower() != "basic":
            return False
        try:
            name, _, password = b64decode(encoded, validate=True).decode().partition(":")
        except (Base64Error, UnicodeDecodeError):
            return False
        stored = self._users.get(name)
        return stored is not None and verify_password(password, stored)
