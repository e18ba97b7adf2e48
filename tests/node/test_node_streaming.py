"""The streamed receive path: used, fenced, and hard to confuse."""

from __future__ import annotations

import socket
import struct

import pynetdicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from raw_peer import STATUS_SUCCESS, command_set, data_set, p_data, pdv

from node import ListenerSettings, ReceivePath, echo, send_files
from node.bounded_socket import BoundedSocket
from node.incoming import MEMORY_BYTES
from node.presentation_data import DataSetFragments, MalformedPdu, Opening
from node.streaming import StreamingDul, dul_factory
from node.upper_layer import GuardedDul


def test_the_path_is_chosen_by_setting_and_library_version(monkeypatch):
    library = ListenerSettings(receive_path=ReceivePath.LIBRARY)
    assert dul_factory(library, None) is GuardedDul
    assert dul_factory(ListenerSettings(), None) is not GuardedDul
    monkeypatch.setattr(pynetdicom, "__version__", "3.1.0")
    assert dul_factory(ListenerSettings(), None) is GuardedDul


def test_ct_goes_past_the_library_unless_switched_off(
    start_node, receive_path, tmp_path, write_series, monkeypatch
):
    served = []
    original = StreamingDul._answer
    monkeypatch.setattr(
        StreamingDul, "_answer", lambda *args: (served.append(args[2]), original(*args))
    )
    send_files(write_series(tmp_path / "in", 4), start_node().destination)
    assert len(served) == (4 if receive_path is ReceivePath.STREAMED else 0)


class Heard(BoundedSocket):
    """Bytes that came already, and nothing behind them."""

    def __init__(self, sent):
        self._buffer, self._view = bytearray(sent), memoryview(sent)
        self._start, self._end = 0, len(sent)
        self._idle_seconds, self.max_pdu_bytes = 1.0, 1000
        self.socket, self._whole = None, 0


@settings(deadline=None)
@given(body=st.binary(max_size=300), pieces=st.lists(st.binary(max_size=40), max_size=3))
def test_any_bytes_are_a_data_set_or_end_the_association(body, pieces):
    """What is read are the fragments' bytes, all of them and no others."""
    last = len(pieces) - 1
    pdvs = [pdv(1, 2 * (number == last), piece) for number, piece in enumerate(pieces)]
    sent = b"".join(pdvs) + body
    heard = Heard(p_data(sent) + b"behind")
    fragments = DataSetFragments(heard, Opening(1, b"", taken=6, rest=len(sent)))
    data = bytearray()
    try:
        while (length := fragments.next()) is not None:
            room = bytearray(length)
            fragments.read_into(memoryview(room))
            data += room
    except (MalformedPdu, OSError):
        assert body or not pieces
        return
    assert data == b"".join(pieces) or not pieces
    assert heard.peek(6) == b"behind"


def test_fragments_of_any_size_and_grouping_are_joined(raw_peer):
    """Command and data in one PDU, in many PDUs, and with an empty last fragment."""
    whole, peer = data_set(), raw_peer()
    third = len(whole) // 3
    forms = [
        p_data(pdv(1, 3, command_set()), pdv(1, 2, whole)),
        p_data(pdv(1, 3, command_set()), pdv(1, 0, whole[:third]))
        + p_data(pdv(1, 0, whole[third:]))
        + p_data(pdv(1, 2, b"")),
        b"".join(
            [p_data(pdv(1, 3, command_set()))]
            + [p_data(pdv(1, 0, whole[at : at + 1])) for at in range(len(whole) - 1)]
            + [p_data(pdv(1, 2, whole[-1:]))]
        ),
        # A command in two fragments is the library's business, with the same result.
        p_data(pdv(1, 1, command_set()[:40]))
        + p_data(pdv(1, 3, command_set()[40:]))
        + p_data(pdv(1, 2, whole)),
    ]
    for form in forms:
        peer.connection.sendall(form)
        assert STATUS_SUCCESS in peer.answer()
    assert raw_peer.node.spool.index.counts() == (1, 1)
    series = raw_peer.node.completed.get(timeout=10)
    assert series.files[0].path.read_bytes().endswith(whole)


@pytest.mark.filterwarnings("ignore:End of file reached")
@pytest.mark.parametrize(
    "form",
    [
        p_data(pdv(1, 3, command_set()), pdv(3, 2, b"data")),
        p_data(pdv(1, 3, command_set()), pdv(1, 3, command_set())),
        p_data(pdv(1, 3, command_set()), pdv(1, 2, b"data"), pdv(1, 2, b"more")),
        p_data(pdv(1, 3, command_set())) + struct.pack(">BBI", 5, 0, 4) + b"\0" * 4,
        p_data(pdv(1, 3, command_set())) + struct.pack(">BBI", 4, 0, 0x7FFFFFFF),
        p_data(pdv(99, 3, command_set()), pdv(99, 2, b"data")),
        struct.pack(">BBI", 4, 0, 8) + struct.pack(">IBB", 0xFFFFFFFF, 1, 3) + b"\0\0",
        p_data(pdv(1, 3, b"\xff" * 64)),
    ],
    ids=[
        "other_context",
        "command_inside",
        "behind_the_last",
        "release_inside",
        "absurd_length",
        "unknown_context",
        "item_too_long",
        "garbage_command",
    ],
)
def test_broken_messages_end_the_association_and_leave_nothing(
    raw_peer, form, wait_until, receive_path
):
    """The streamed path ends it itself; the library answers some of them and goes on."""
    peer, node = raw_peer(), raw_peer.node
    peer.connection.sendall(form)
    if receive_path is ReceivePath.LIBRARY:
        peer.connection.shutdown(socket.SHUT_WR)
    while peer.answer():
        pass
    wait_until(lambda: node.server.status().open_associations == 0)
    assert list((node.spool.root / "incoming").iterdir()) == []
    assert node.spool.index.counts() == (0, 0)
    echo(node.destination)


@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_mutated_messages_never_stop_the_node(raw_peer, data):
    """Bytes overwritten anywhere in a C-STORE: an answer or an end, and the next peer is served."""
    message = bytearray(p_data(pdv(1, 3, command_set()), pdv(1, 2, data_set())))
    for position in data.draw(st.lists(st.integers(0, 320), min_size=1, max_size=6)):
        message[position] = data.draw(st.integers(0, 255))
    peer = raw_peer()
    peer.connection.sendall(bytes(message))
    peer.connection.shutdown(socket.SHUT_WR)
    while peer.answer():
        pass
    peer.close()
    echo(raw_peer.node.destination)
    assert list((raw_peer.node.spool.root / "incoming").iterdir()) == []


def test_a_sender_that_vanishes_leaves_nothing_behind(raw_peer, wait_until, receive_path):
    peer, node = raw_peer(), raw_peer.node
    piece = p_data(pdv(1, 0, b"x" * 100_000))
    beyond_memory = piece * (MEMORY_BYTES // 100_000 + 1)
    peer.connection.sendall(p_data(pdv(1, 3, command_set())) + beyond_memory)
    incoming = node.spool.root / "incoming"
    # The library holds the fragments in memory and makes the file at the end; the streamed path
    # begins a file with what is beyond its memory.
    files = 1 if receive_path is ReceivePath.STREAMED else 0
    wait_until(lambda: len(list(incoming.iterdir())) == files)
    wait_until(lambda: node.server.status().open_associations == 1)
    peer.close()
    wait_until(lambda: not list(incoming.iterdir()))
    wait_until(lambda: node.server.status().open_associations == 0)
