"""HTTP to a DICOMweb service (PS3.18): one kept connection, and what its status codes mean."""

from __future__ import annotations

import http.client
import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import SplitResult, urlencode, urlsplit

from node.errors import NodeError, Permanent, Retryable
from node.settings import TlsSettings, WebDestination
from node.tls import client_context

TIMEOUT_SECONDS = 120.0
LONGEST_JSON_BYTES = 64 * 2**20
NO_CONTENT = 204
REFUSALS = (401, 403)
BUSY = (408, 425, 429)

Parameters = Sequence[tuple[str, str]]


def open_connection(
    url: SplitResult, tls: TlsSettings | None, timeout_seconds: float = TIMEOUT_SECONDS
) -> http.client.HTTPConnection:
    """Return a connection that opens at its first use.

    Raises
    ------
    Permanent
        The URL is not http or https, or TLS files are unusable.
    """
    if url.scheme not in ("http", "https") or not url.hostname:
        raise Permanent("dicomweb_url is not an http or https URL")
    if url.scheme == "http":
        return http.client.HTTPConnection(url.hostname, url.port, timeout=timeout_seconds)
    context = client_context(tls or TlsSettings())
    return http.client.HTTPSConnection(
        url.hostname, url.port, timeout=timeout_seconds, context=context
    )


class WebReader:
    """Reads from one DICOMweb service over one connection. Not thread-safe."""

    def __init__(self, peer: WebDestination, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._peer = peer
        self._url = urlsplit(peer.dicomweb_url)
        self._connection = open_connection(self._url, peer.tls, timeout_seconds)

    def close(self) -> None:
        """Close the connection; the next request opens another one."""
        self._connection.close()

    def get(self, path: str, accept: str, parameters: Parameters = ()) -> http.client.HTTPResponse:
        """Return the answer to a GET below the base URL, its status 2xx; read it before the next.

        Raises
        ------
        Retryable
            Not reachable or busy.
        Permanent
            Refused, or not there.
        """
        target = f"{self._url.path.rstrip('/')}{path}"
        if parameters:
            target += "?" + urlencode(parameters)
        try:
            response = self._answer(target, accept)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            reason = getattr(error, "strerror", None) or type(error).__name__
            raise Retryable(f"{self._peer.name} cannot be reached: {reason}") from error
        if 200 <= response.status < 300:
            return response
        # The rest of an error page is of no use; a new connection is cheaper than reading it.
        self.close()
        raise _failure(self._peer.name, response.status)

    def json(self, path: str, parameters: Parameters = ()) -> list[dict[str, Any]]:
        """Return the list that a search answers; see `get` for the errors."""
        response = self.get(path, "application/dicom+json", parameters)
        try:
            body = response.read(LONGEST_JSON_BYTES)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Retryable(f"{self._peer.name} ended its answer early") from error
        if response.status == NO_CONTENT or not body.strip():
            return []
        try:
            answer = json.loads(body)
        except ValueError as error:
            raise Retryable(f"{self._peer.name} answered a search with something else") from error
        if not isinstance(answer, list):
            raise Retryable(f"{self._peer.name} answered a search with something else")
        return [item for item in answer if isinstance(item, dict)]

    def _answer(self, target: str, accept: str) -> http.client.HTTPResponse:
        headers = {"Accept": accept}
        if self._peer.authorization is not None:
            headers["Authorization"] = self._peer.authorization
        kept = self._connection.sock is not None
        try:
            self._connection.request("GET", target, headers=headers)
            return self._connection.getresponse()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            if not kept:
                raise
        # A kept connection may have been closed by the other side; a GET can be repeated.
        self._connection.request("GET", target, headers=headers)
        return self._connection.getresponse()


def _failure(name: str, status: int) -> NodeError:
    if status in REFUSALS:
        return Permanent(f"{name} refuses us (HTTP {status}): check authorization")
    if status in BUSY or status >= 500:
        return Retryable(f"{name} answered with HTTP {status}")
    return Permanent(f"{name} answered with HTTP {status}: check dicomweb_url")
