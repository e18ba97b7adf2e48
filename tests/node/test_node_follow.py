"""Peers that change while the node runs, and a listener that says when it hangs."""

import socket
import threading

from knocking import knock

import node.server
from node import Peer

CALLING_UNKNOWN = (1, 1, 3)


def test_new_peers_decide_on_new_associations_and_drop_no_open_one(start_node):
    server = start_node(peers=(Peer("CT1"),)).server
    open_one = knock(server.port, "CT1").association
    assert open_one.is_established
    server.follow((Peer("CT2"),))
    assert open_one.send_c_echo().Status == 0
    assert knock(server.port, "CT1").refusal == CALLING_UNKNOWN
    other = knock(server.port, "CT2")
    assert other.is_admitted
    other.association.release()
    open_one.release()


def test_a_listener_whose_accept_loop_hangs_says_so(start_node, monkeypatch, wait_until):
    monkeypatch.setattr(node.server, "STALLED_SECONDS", 0.5)
    running = start_node()
    wait_until(lambda: running.server.stalled() == "")
    hang = threading.Event()

    accept = running.server._server.get_request

    def hanging_accept():
        hang.wait()
        return accept()

    monkeypatch.setattr(running.server._server, "get_request", hanging_accept)
    with socket.create_connection(("127.0.0.1", running.server.port)):
        wait_until(lambda: running.server.stalled().startswith("accepts nothing for"))
        hang.set()
        wait_until(lambda: running.server.stalled() == "")


def test_many_open_associations_are_no_hang(start_node, monkeypatch, wait_until):
    monkeypatch.setattr(node.server, "STALLED_SECONDS", 0.5)
    server = start_node(max_associations=3).server
    open_ones = [knock(server.port, f"CT{n}").association for n in range(4)]
    assert [one.is_established for one in open_ones] == [True, True, True, False]
    last = server._server.last_turn
    wait_until(lambda: server._server.last_turn > last + 1.0)
    assert server.stalled() == ""
    for one in open_ones[:3]:
        one.release()


def test_a_stopped_node_does_not_answer(start_node):
    server = start_node().server
    server.stop()
    assert server.stalled() == "not listening"
