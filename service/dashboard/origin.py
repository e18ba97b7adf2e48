"""Where a request comes from: its own pages, another site, a name that is not ours."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import Scope


def from_own_pages(headers: Headers) -> bool:
    """Whether a browser says that a request came from a page of this server, or says nothing.

    Programs other than browsers send neither header.
    """
    site = headers.get("sec-fetch-site")
    if site is not None and site not in ("same-origin", "none"):
        return False
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc == headers.get("host")


def named_by_address(headers: Headers) -> bool:
    """Whether the server is called ``localhost`` or by its address.

    A page whose own name was made to resolve to this address (DNS rebinding) shows that name here.
    """
    host = urlsplit(f"//{headers.get('host', '')}").hostname or ""
    return host == "localhost" or is_address(host)


def is_loopback(host: str) -> bool:
    """Whether a configured address is reached from this machine only."""
    return host == "localhost" or (is_address(host) and ip_address(host).is_loopback)


def is_address(text: str) -> bool:
    """Whether a text is an IP address."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def client_address(scope: Scope) -> str:
    """Address of the client; of the one a reverse proxy on this machine names, behind one."""
    client = scope.get("client")
    return str(client[0]) if client else ""
