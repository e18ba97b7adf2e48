"""What the configuration says of the listener is what the listener is told."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from node import Peer, ReceivePath
from service.config import Config, NodeConfig
from service.destinations import listener_settings


def test_the_receive_path_can_be_switched():
    assert listener_settings(Config()).receive_path is ReceivePath.STREAMED
    library = Config(node=NodeConfig(receive_path="library"))
    assert listener_settings(library).receive_path is ReceivePath.LIBRARY
    with pytest.raises(ValidationError, match="receive_path"):
        NodeConfig(receive_path="fast")


def test_peers_and_association_limits_arrive():
    node = NodeConfig(
        ae_title="SPINE",
        peers=({"ae_title": "CT1", "host": "192.0.2.10", "port": 104},),
        max_associations=7,
        limits={"max_associations_per_peer": 3, "idle_seconds": 9},
    )
    listener = listener_settings(Config(node=node))
    assert listener.ae_title == "SPINE"
    assert listener.peers == (Peer("CT1", "192.0.2.10", 104),)
    assert listener.max_associations == 7
    assert listener.limits.max_associations_per_peer == 3
    assert listener.limits.idle_seconds == 9


def test_tls_is_off_unless_enabled_and_complete_when_it_is(tmp_path):
    tls = {"cert": tmp_path / "c", "key": tmp_path / "k", "ca": tmp_path / "a"}
    assert listener_settings(Config(node=NodeConfig(tls=tls))).tls is None
    enabled = {**tls, "enabled": True, "require_client_cert": True}
    settings = listener_settings(Config(node=NodeConfig(tls=enabled))).tls
    assert (settings.cert, settings.key, settings.ca) == tuple(tls.values())
    assert settings.require_client_cert
