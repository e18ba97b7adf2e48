"""Configured peers and destinations in the node's own types."""

from __future__ import annotations

from node import (
    Destination,
    ListenerLimits,
    ListenerSettings,
    Peer,
    ReceivePath,
    SpoolSettings,
    TlsSettings,
    WebDestination,
)
from service.config import Config, DestinationConfig, TlsConfig
from service.config.limits import ListenerLimitsConfig
from service.errors import UsageError
from service.layout import images_folder


def tls_settings(tls: TlsConfig) -> TlsSettings | None:
    """TLS settings, or None where TLS is not enabled."""
    if not tls.enabled:
        return None
    return TlsSettings(
        cert=tls.cert, key=tls.key, ca=tls.ca, require_client_cert=tls.require_client_cert
    )


def node_destination(config: Config, name: str) -> Destination | WebDestination:
    """A destination by name.

    Raises
    ------
    UsageError
        If none is configured under that name.
    """
    for destination in config.destinations:
        if destination.name == name:
            return _node_type(config, destination)
    raise UsageError(f"no destination {name!r} in the configuration")


def _node_type(config: Config, destination: DestinationConfig) -> Destination | WebDestination:
    tls = tls_settings(destination.tls)
    if destination.dicomweb_url is not None:
        return WebDestination(
            destination.name,
            destination.dicomweb_url,
            tls=tls,
            authorization=destination.authorization or None,
        )
    # The configuration guarantees all three where there is no dicomweb_url.
    assert destination.ae_title is not None
    assert destination.host is not None
    assert destination.port is not None
    return Destination(
        name=destination.name,
        ae_title=destination.ae_title,
        host=destination.host,
        port=destination.port,
        tls=tls,
        storage_commitment=destination.storage_commitment,
        calling_ae_title=config.node.ae_title,
    )


def listener_settings(config: Config) -> ListenerSettings:
    """How the listener listens."""
    return ListenerSettings(
        ae_title=config.node.ae_title,
        host=config.node.host,
        port=config.node.port,
        peers=tuple(Peer(peer.ae_title, peer.host, peer.port) for peer in config.node.peers),
        max_associations=config.node.max_associations,
        tls=tls_settings(config.node.tls),
        limits=_listener_limits(config.node.limits),
        receive_path=ReceivePath(config.node.receive_path),
    )


def _listener_limits(limits: ListenerLimitsConfig) -> ListenerLimits:
    return ListenerLimits(
        handshake_seconds=limits.handshake_seconds,
        idle_seconds=limits.idle_seconds,
        max_connecting=limits.max_connecting,
        max_associations_per_peer=limits.max_associations_per_peer,
        max_pdu_bytes=limits.max_pdu_kib * 2**10,
        max_instance_bytes=limits.max_instance_mib * 2**20,
    )


def spool_settings(config: Config) -> SpoolSettings:
    """Where received images are kept."""
    return SpoolSettings(root=images_folder(config), min_free_gib=config.node.min_free_gib)
