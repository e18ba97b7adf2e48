"""Who may open an association, from where, and how many at once."""

from __future__ import annotations

import socket
import threading

import pytest
from knocking import knock
from pynetdicom import AE

from node import ListenerLimits, Peer, echo
from node.sop_classes import VERIFICATION

CALLED_UNKNOWN, CALLING_UNKNOWN, TOO_MANY = (1, 1, 7), (1, 1, 3), (2, 3, 2)
"""Result, source and reason of A-ASSOCIATE-RJ (PS3.8 Table 9-21)."""


@pytest.fixture
def refusal_of():
    """Ask for an association; return (1, 1, 7) and the like, or None if it was opened."""
    opened = []

    def ask(node, calling="SCANNER", called="SPINENODE"):
        answer = knock(node.server.port, calling, called)
        assert answer.is_admitted is (answer.refusal is None)
        if answer.is_admitted:
            opened.append(answer.association)
        return answer.refusal

    ask.opened = opened
    yield ask
    for association in opened:
        association.release()


def test_a_called_title_that_is_not_ours_is_refused(start_node, refusal_of):
    node = start_node()
    assert refusal_of(node, called="spinenode") == CALLED_UNKNOWN
    assert refusal_of(node, called="SPINENODE2") == CALLED_UNKNOWN
    assert refusal_of(node) is None


@pytest.mark.parametrize(
    ("peer", "refusal"),
    [
        (Peer("SCANNER"), None),
        (Peer("SCANNER", "127.0.0.1"), None),
        (Peer("SCANNER", "localhost"), None),
        (Peer("OTHER"), CALLING_UNKNOWN),
        (Peer("SCANNER", "192.0.2.7"), CALLING_UNKNOWN),
        (Peer("SCANNER", "nowhere.invalid"), CALLING_UNKNOWN),
        (Peer("SCANNE"), CALLING_UNKNOWN),
    ],
    ids=["anywhere", "address", "name", "other", "elsewhere", "unresolvable", "prefix"],
)
def test_calling_titles_and_hosts_are_those_of_the_list(start_node, refusal_of, peer, refusal):
    assert refusal_of(start_node(peers=(peer,))) == refusal


def test_the_limit_of_one_peer_leaves_room_for_the_others(start_node, refusal_of, wait_until):
    node = start_node(limits=ListenerLimits(max_associations_per_peer=2))
    assert [refusal_of(node, "SCANNER") for _ in range(3)] == [None, None, TOO_MANY]
    assert refusal_of(node, "ANOTHER") is None
    refusal_of.opened.pop(0).release()
    wait_until(lambda: node.server.status().open_associations == 2)
    assert refusal_of(node, "SCANNER") is None


def test_the_total_limit_counts_all_peers(start_node, refusal_of):
    node = start_node(max_associations=3)
    refusals = [refusal_of(node, f"SCANNER{number}") for number in range(4)]
    assert refusals == [None, None, None, TOO_MANY]


def test_a_slow_name_service_delays_nobody_else(start_node, monkeypatch):
    """While the host name of one peer is being looked up, another is served."""
    answered, asked = threading.Event(), threading.Event()
    original = socket.getaddrinfo

    def slow(host, *args, **options):
        if host == "slow.invalid":
            asked.set()
            answered.wait(20)
            raise socket.gaierror
        return original(host, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    node = start_node(peers=(Peer("SPINENODE", "127.0.0.1"), Peer("SLOW", "slow.invalid")))
    ae = AE(ae_title="SLOW")
    ae.add_requested_context(VERIFICATION)
    port = node.server.port
    waiting = threading.Thread(
        target=ae.associate, args=("127.0.0.1", port), kwargs={"ae_title": "SPINENODE"}
    )
    waiting.start()
    try:
        assert asked.wait(10)
        echo(node.destination)
    finally:
        answered.set()
        waiting.join()
