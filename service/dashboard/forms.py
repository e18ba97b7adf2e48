"""Posted forms: small, URL-encoded, read once."""

from __future__ import annotations

from urllib.parse import parse_qsl

from starlette.types import Message, Receive, Scope

FORM_TYPE = "application/x-www-form-urlencoded"
MOST_BYTES = 16 * 1024
_MOST_FIELDS = 20


class FormUnreadable(Exception):
    """The body is no form, or larger than any form of these pages."""


async def read_form(scope: Scope, receive: Receive) -> dict[str, str]:
    """Fields of a posted form; empty for an empty body.

    Raises
    ------
    FormUnreadable
        If the body is too long or not what a form of ours sends.
    """
    body = await _body(receive)
    if not body:
        return {}
    content_type = dict(scope["headers"]).get(b"content-type", b"").decode("latin-1")
    if content_type.partition(";")[0].strip().lower() != FORM_TYPE:
        raise FormUnreadable
    try:
        fields = parse_qsl(
            body.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict"
        )
    except ValueError as error:
        raise FormUnreadable from error
    return dict(fields)


async def _body(receive: Receive) -> bytes:
    body = b""
    while True:
        message: Message = await receive()
        if message["type"] != "http.request":
            raise FormUnreadable  # the client went away
        body += bytes(message.get("body", b""))
        if len(body) > MOST_BYTES:
            raise FormUnreadable
        if not message.get("more_body", False):
            return body
