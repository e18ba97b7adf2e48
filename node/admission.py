"""Who may open an association: decided before anything of it costs a slot."""

from __future__ import annotations

import socket
from dataclasses import dataclass

from node.settings import ListenerSettings, Peer

PERMANENT, TRANSIENT = 1, 2
SOURCE_USER, SOURCE_PRESENTATION = 1, 3


@dataclass(frozen=True)
class AssociationRequest:
    """Who asks, from where, and for whom."""

    called_ae_title: str
    calling_ae_title: str
    host: str


@dataclass(frozen=True)
class Rejection:
    """Result, source and reason of an A-ASSOCIATE-RJ (PS3.8 Table 9-21), and our own code."""

    result: int
    source: int
    reason: int
    code: str


CALLED_UNKNOWN = Rejection(PERMANENT, SOURCE_USER, 7, "called_ae_title_not_recognised")
CALLING_UNKNOWN = Rejection(PERMANENT, SOURCE_USER, 3, "calling_ae_title_not_recognised")
TOO_MANY = Rejection(TRANSIENT, SOURCE_PRESENTATION, 2, "too_many_associations")
TOO_MANY_FROM_PEER = Rejection(TRANSIENT, SOURCE_PRESENTATION, 2, "too_many_from_peer")


def unknown(request: AssociationRequest, listener: ListenerSettings) -> Rejection | None:
    """Return why somebody is not known here, or None.

    Peers with a host name are looked up, which can take seconds: nothing may wait for this.
    """
    if request.called_ae_title.strip() != listener.ae_title.strip():
        return CALLED_UNKNOWN
    if listener.peers and not any(_matches(peer, request) for peer in listener.peers):
        return CALLING_UNKNOWN
    return None


def no_room(open_total: int, open_from_peer: int, listener: ListenerSettings) -> Rejection | None:
    """Return why one more association is too many, in total or by the same peer, or None."""
    if open_total >= listener.max_associations:
        return TOO_MANY
    most = listener.limits.max_associations_per_peer
    if most and open_from_peer >= most:
        return TOO_MANY_FROM_PEER
    return None


def _matches(peer: Peer, request: AssociationRequest) -> bool:
    if peer.ae_title.strip() != request.calling_ae_title.strip():
        return False
    return peer.host in (None, request.host) or request.host in _addresses(str(peer.host))


def _addresses(host: str) -> frozenset[str]:
    """Return the addresses of a host name or address; empty if it cannot be resolved."""
    try:
        return frozenset(str(entry[4][0]) for entry in socket.getaddrinfo(host, None))
    except socket.gaierror:
        return frozenset()
