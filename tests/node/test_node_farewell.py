"""How associations end that do not end by themselves."""

from __future__ import annotations

import socket
import ssl
import struct

import pytest
from raw_peer import A_ABORT, A_ABORT_BY_USER, RawPeer, command_set, data_set, p_data, pdv

from node import ListenerLimits, ReceivePath, TlsSettings

SILENT_AFTER = {
    "nothing": b"",
    "a_command": p_data(pdv(1, 3, command_set())),
    "a_fragment": p_data(pdv(1, 3, command_set()), pdv(1, 0, data_set())),
    "half_a_pdu": p_data(pdv(1, 3, command_set()), pdv(1, 0, data_set()))[:-20],
}


@pytest.mark.parametrize("sent", SILENT_AFTER.values(), ids=SILENT_AFTER)
def test_a_silent_peer_hears_an_abort(start_node, quick_limits, sent, receive_path, wait_until):
    """As the conformance statement says; inside a message the library may close without one."""
    node = start_node(limits=quick_limits)
    peer = RawPeer(node.server.port)
    peer.connection.sendall(sent)
    may_just_close = receive_path is ReceivePath.LIBRARY and sent
    assert peer.answer()[:6] in ((A_ABORT, b"") if may_just_close else (A_ABORT,))
    wait_until(lambda: node.server.status().open_associations == 0)
    peer.close()


def test_a_data_set_beyond_the_limit_ends_with_an_abort(start_node):
    node = start_node(limits=ListenerLimits(max_instance_bytes=10_000))
    peer = RawPeer(node.server.port)
    pieces = p_data(pdv(1, 0, b"x" * 9_000)) + p_data(pdv(1, 2, b"x" * 9_000))
    peer.connection.sendall(p_data(pdv(1, 3, command_set())) + pieces)
    assert peer.answer()[:6] == A_ABORT
    peer.close()


@pytest.mark.timeout(45)  # less than the idle limit, after which it would end by itself
@pytest.mark.parametrize("missing", [0, 20])
def test_stopping_cuts_a_transfer_that_does_not_end(raw_peer, wait_until, missing, receive_path):
    """Between two PDUs, and inside one, where the library closes without a word."""
    peer, node = raw_peer(), raw_peer.node
    start = p_data(pdv(1, 3, command_set()), pdv(1, 0, data_set()))
    peer.connection.sendall(start[: len(start) - missing])
    wait_until(lambda: node.server.status().open_associations == 1)
    node.server.stop(drain_seconds=0.1)
    assert not node.server.status().listening
    says_so = receive_path is ReceivePath.STREAMED or not missing
    assert peer.answer() == (A_ABORT_BY_USER if says_so else b"")
    assert peer.answer() == b""


@pytest.mark.timeout(45)
def test_stopping_aborts_peers_that_rest(raw_peer, caplog):
    """Said to each before its connection closes (PS3.8 Section 9.3.8), and nothing breaks."""
    peers = [raw_peer() for _ in range(3)]
    raw_peer.node.server.stop(drain_seconds=0.1)
    assert [peer.answer() for peer in peers] == [A_ABORT_BY_USER] * 3
    assert [peer.answer() for peer in peers] == [b""] * 3
    assert not [each for each in caplog.records if each.levelname == "ERROR"]


@pytest.fixture
def tls_peer(start_node, tls_files):
    node = start_node(tls=TlsSettings(tls_files.server_cert, tls_files.server_key))
    trusting = ssl.create_default_context(cafile=tls_files.ca)
    trusting.check_hostname = False
    peer = RawPeer(node.server.port, trusting.wrap_socket)
    peer.node = node
    yield peer
    peer.close()


@pytest.mark.timeout(45)
@pytest.mark.parametrize("sent", SILENT_AFTER.values(), ids=SILENT_AFTER)
def test_stopping_is_said_over_tls(tls_peer, sent, receive_path, wait_until):
    tls_peer.connection.sendall(sent)
    wait_until(lambda: tls_peer.node.server.status().open_associations == 1)
    tls_peer.node.server.stop(drain_seconds=0.1)
    in_pdu = sent == SILENT_AFTER["half_a_pdu"]
    says_so = receive_path is ReceivePath.STREAMED or not in_pdu
    assert tls_peer.answer() == (A_ABORT_BY_USER if says_so else b"")
    assert tls_peer.answer() == b""


@pytest.mark.timeout(45)
def test_stopping_ends_what_waits_for_half_a_tls_record(tls_peer, wait_until):
    application_data = b"\x17\x03\x03" + struct.pack(">H", 4096)
    socket.socket.sendall(tls_peer.connection, application_data + bytes(100))
    wait_until(lambda: tls_peer.node.server.status().open_associations == 1)
    tls_peer.node.server.stop(drain_seconds=0.1)
    assert tls_peer.answer() == b""
