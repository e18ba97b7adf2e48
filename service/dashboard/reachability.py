"""C-ECHO to configured peers and destinations, on request, and what came of the last one."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from node import Destination, NodeError, WebDestination, echo
from service.config import Config
from service.destinations import node_destination


@dataclass(frozen=True)
class Partner:
    """A configured peer or destination.

    Attributes
    ----------
    key
        Names it in addresses: ``destination-pacs``, ``peer-0``.
    can_echo
        Whether there is anything that C-ECHO could reach.
    """

    key: str
    kind: str
    name: str
    address: str
    detail: str
    can_echo: bool


@dataclass(frozen=True)
class EchoResult:
    """What came of a C-ECHO."""

    ok: bool
    text: str
    at_ms: int
    seconds: float


class Reachability:
    """Remembers the last result by partner, as long as the service runs."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._results: dict[str, EchoResult] = {}

    def last(self, key: str) -> EchoResult | None:
        """The last result of a partner."""
        with self._lock:
            return self._results.get(key)

    def echo(self, config: Config, partner: Partner) -> EchoResult:
        """Verify a partner with C-ECHO and remember the result."""
        started = time.monotonic()
        try:
            echo(_target(config, partner))
            ok, text = True, "answers"
        except NodeError as error:
            ok, text = False, str(error)
        seconds = time.monotonic() - started
        result = EchoResult(ok, text, int(time.time() * 1000), seconds)
        with self._lock:
            self._results[partner.key] = result
        return result


def partners(config: Config) -> tuple[Partner, ...]:
    """Every configured peer and destination."""
    return (*_peers(config), *_destinations(config))


def find_partner(config: Config, key: str) -> Partner | None:
    """A partner by its key."""
    return next((each for each in partners(config) if each.key == key), None)


def _peers(config: Config) -> list[Partner]:
    found = []
    for number, peer in enumerate(config.node.peers):
        reachable = peer.host is not None and peer.port is not None
        address = f"{peer.host}:{peer.port}" if reachable else (peer.host or "from any address")
        detail = "may send" if reachable else "may send; no host and port to ask"
        found.append(Partner(f"peer-{number}", "peer", peer.ae_title, address, detail, reachable))
    return found


def _destinations(config: Config) -> list[Partner]:
    found = []
    for each in config.destinations:
        key, outputs = f"destination-{each.name}", ", ".join(each.outputs)
        if each.dicomweb_url is not None:
            address, can_echo = each.dicomweb_url, False
        else:
            address, can_echo = f"{each.ae_title} at {each.host}:{each.port}", True
        found.append(Partner(key, "destination", each.name, address, outputs, can_echo))
    return found


def _target(config: Config, partner: Partner) -> Destination:
    kind, _, name = partner.key.partition("-")
    if kind == "destination":
        target = node_destination(config, name)
        assert not isinstance(target, WebDestination)  # can_echo is False for those
        return target
    peer = config.node.peers[int(name)]
    assert peer.host is not None
    assert peer.port is not None
    return Destination(
        name=peer.ae_title,
        ae_title=peer.ae_title,
        host=peer.host,
        port=peer.port,
        calling_ae_title=config.node.ae_title,
    )
