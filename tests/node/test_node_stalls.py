"""Peers that say nothing, say it slowly or go away must not keep anybody else waiting."""

from __future__ import annotations

import socket
import ssl
import struct
import time
import warnings

import pytest

from node import (
    Destination,
    ListenerLimits,
    Retryable,
    SilentObserver,
    TlsSettings,
    echo,
    send_files,
)

ECHO_SECONDS = 0.5


class Watcher(SilentObserver):
    def __init__(self):
        self.rejected = []

    def association_rejected(self, calling_ae_title, host, reason):  # noqa: ARG002 (protocol)
        self.rejected.append(reason)


def timed_echo(destination):
    started = time.monotonic()
    echo(destination)
    return time.monotonic() - started


def connect(port):
    return socket.create_connection(("127.0.0.1", port), timeout=10)


def test_echo_answers_while_twenty_peers_are_silent(start_node):
    node = start_node(max_associations=5)
    silent = [connect(node.server.port) for _ in range(20)]
    assert timed_echo(node.destination) < ECHO_SECONDS
    assert node.server.status().open_associations <= 1
    for each in silent:
        each.close()


def test_echo_answers_while_twenty_tls_peers_never_shake_hands(start_node, loopback_tls):
    node = start_node(tls=loopback_tls)
    silent = [connect(node.server.port) for _ in range(20)]
    destination = Destination("n", "SPINENODE", "127.0.0.1", node.server.port, tls=loopback_tls)
    assert timed_echo(destination) < ECHO_SECONDS
    for each in silent:
        each.close()


def test_echo_answers_after_thirty_port_probes(start_node):
    node = start_node(max_associations=5)
    for _ in range(30):
        connect(node.server.port).close()
    assert timed_echo(node.destination) < ECHO_SECONDS


def test_half_open_requests_hold_no_association(start_node, quick_limits):
    """A peer that sends half an A-ASSOCIATE-RQ is dropped after the handshake limit."""
    node = start_node(max_associations=2, limits=quick_limits)
    halves = [connect(node.server.port) for _ in range(10)]
    for each in halves:
        each.sendall(struct.pack(">BBI", 1, 0, 200) + b"\0\1")
    assert timed_echo(node.destination) < ECHO_SECONDS
    assert halves[0].recv(1) == b""


def test_a_peer_that_stops_inside_an_object_is_aborted(
    start_node, quick_limits, tmp_path, write_series, wait_until
):
    """Its association ends after the idle limit, others go on meanwhile, and nothing torn stays."""
    node = start_node(limits=quick_limits)
    slow = connect(node.server.port)
    slow.sendall(_associate_rq())
    assert slow.recv(1) == b"\x02"
    slow.sendall(struct.pack(">BBI", 4, 0, 5000) + b"\0" * 100)
    wait_until(lambda: node.server.status().open_associations == 1)
    assert timed_echo(node.destination) < ECHO_SECONDS
    wait_until(lambda: node.server.status().open_associations == 0, 8)
    send_files(write_series(tmp_path / "in", 1), node.destination)
    assert len(node.completed.get(timeout=10).files) == 1
    assert list((node.spool.root / "incoming").iterdir()) == []


def _associate_rq():
    def item(kind, body):
        return struct.pack(">BBH", kind, 0, len(body)) + body

    syntaxes = item(0x30, b"1.2.840.10008.1.1") + item(0x40, b"1.2.840.10008.1.2")
    variable = (
        item(0x10, b"1.2.840.10008.3.1.1.1")
        + item(0x20, b"\x01\0\0\0" + syntaxes)
        + item(0x50, item(0x51, struct.pack(">I", 16384)) + item(0x52, b"1.2.3"))
    )
    fixed = b"\0\1\0\0" + b"SPINENODE".ljust(16) + b"SLOW".ljust(16) + b"\0" * 32
    return struct.pack(">BBI", 1, 0, len(fixed + variable)) + fixed + variable


@pytest.mark.parametrize(
    "greeting",
    [
        b"GET / HTTP/1.0\r\n\r\n",
        b"\x01\0\xff\xff\xff\xff" + b"\0" * 64,
        b"\x04\0\0\0\0\x10" + b"\0" * 16,
        b"\x01\0\0\0\0\x04\0\1\0\0",
        struct.pack(">BBI", 1, 0, 68) + b"\0\1\0\0" + b"SPINENODE".ljust(16) + b"\xff" * 48,
    ],
    ids=["http", "absurd_length", "data_first", "too_short", "garbage_items"],
)
def test_strange_greetings_end_the_connection_and_nothing_else(start_node, greeting):
    node = start_node()
    with connect(node.server.port) as stranger:
        stranger.sendall(greeting)
        # An association may be rejected, aborted or cut: in any case it is over.
        try:
            while stranger.recv(100):
                pass
        except ConnectionResetError:
            pass
    echo(node.destination)


def test_the_oldest_waiting_connection_makes_room(start_node):
    node = start_node(limits=ListenerLimits(max_connecting=3))
    waiting = [connect(node.server.port) for _ in range(6)]
    assert timed_echo(node.destination) < ECHO_SECONDS
    assert waiting[0].recv(1) == b""


def test_associations_beyond_the_limit_are_rejected_as_transient(start_node, wait_until):
    watcher = Watcher()
    node = start_node(max_associations=1, observer=watcher)
    with connect(node.server.port) as first:
        first.sendall(_associate_rq())
        assert first.recv(1) == b"\x02"
        with connect(node.server.port) as second:
            second.sendall(_associate_rq())
            assert second.recv(10) == bytes((3, 0, 0, 0, 0, 4, 0, 2, 3, 2))
    wait_until(lambda: watcher.rejected == ["too_many_associations"])
    wait_until(lambda: node.server.status().open_associations == 0)
    echo(node.destination)


def test_tls_carries_a_series_and_refuses_old_versions(
    start_node, loopback_tls, tmp_path, write_series
):
    node = start_node(tls=loopback_tls)
    destination = Destination("n", "SPINENODE", "127.0.0.1", node.server.port, tls=loopback_tls)
    send_files(write_series(tmp_path / "in", 2), destination)
    assert len(node.completed.get(timeout=10).files) == 2
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        old.minimum_version = ssl.TLSVersion.TLSv1
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    with connect(node.server.port) as connection, pytest.raises((ssl.SSLError, OSError)):
        old.wrap_socket(connection)


def test_a_required_client_certificate_is_required(start_node, loopback_tls):
    required = TlsSettings(
        loopback_tls.cert, loopback_tls.key, loopback_tls.ca, require_client_cert=True
    )
    node = start_node(tls=required)
    port = node.server.port
    echo(Destination("n", "SPINENODE", "127.0.0.1", port, tls=loopback_tls))
    without = TlsSettings(ca=loopback_tls.ca)
    with pytest.raises(Retryable):
        echo(Destination("n", "SPINENODE", "127.0.0.1", port, tls=without))


def test_a_data_set_beyond_the_limit_aborts_its_association(start_node, tmp_path, write_series):
    node = start_node(limits=ListenerLimits(max_instance_bytes=400, max_pdu_bytes=4096))
    (result,) = send_files(write_series(tmp_path / "in", 1), node.destination)
    assert (result.outcome, result.status) == ("failed", None)
    assert node.spool.index.counts() == (0, 0)
    echo(node.destination)
