"""One JSON document by HTTP POST; redirects and proxies of the environment are not followed."""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from node import NodeError, TlsSettings
from node.web import BUSY, open_connection
from service.notifications.errors import NotReached, NotTaken

TIMEOUT_SECONDS = 20.0
_LONGEST_ANSWER = 2**16


@dataclass(frozen=True)
class Posted:
    """A document on its way."""

    url: str
    body: bytes
    headers: Mapping[str, str]
    ca: Path | None = None


def post(posted: Posted) -> int:
    """Send it; return the status, which is 2xx.

    Raises
    ------
    NotReached
        No connection, or the receiver is busy or broken.
    NotTaken
        The receiver refuses it.
    """
    url = urlsplit(posted.url)
    target = (url.path or "/") + (f"?{url.query}" if url.query else "")
    try:
        connection = open_connection(url, TlsSettings(ca=posted.ca), TIMEOUT_SECONDS)
        try:
            connection.request("POST", target, posted.body, dict(posted.headers))
            response = connection.getresponse()
            response.read(_LONGEST_ANSWER)
        finally:
            connection.close()
    except (OSError, http.client.HTTPException, NodeError) as error:
        raise NotReached(f"{url.hostname}: {type(error).__name__}") from error
    if 200 <= response.status < 300:
        return response.status
    if response.status in BUSY or response.status >= 500:
        raise NotReached(f"{url.hostname} answered HTTP {response.status}")
    raise NotTaken(f"{url.hostname} answered HTTP {response.status}")
