"""The streamed receive path: used, fenced, and hard to confuse."""

from __future__ import annotations

import socket
import struct

import pynetdicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pynetdicom.dsutils import encode

from node import ListenerLimits, ListenerSettings, ReceivePath, echo, send_files
from node.bounded_socket import BoundedSocket
from node.incoming import MEMORY_BYTES
from node.presentation_data import DataSetFragments, MalformedPdu, Opening
from node.streaming import StreamingDul, dul_factory
from node.upper_layer import GuardedDul

STATUS_SUCCESS = struct.pack("<HHIH", 0, 0x0900, 2, 0)
A_ABORT = struct.pack(">BBI", 7, 0, 4)
A_ABORT_BY_USER = A_ABORT + bytes(4)
CT, ECHO = b"1.2.840.10008.5.1.4.1.1.2", b"1.2.840.10008.1.1"
IMPLICIT = b"1.2.840.10008.1.2"


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


def item(kind, body):
    return struct.pack(">BBH", kind, 0, len(body)) + body


def associate_rq():
    def context(number, abstract):
        syntaxes = item(0x30, abstract) + item(0x40, IMPLICIT)
        return item(0x20, bytes((number, 0, 0, 0)) + syntaxes)

    user = item(0x50, item(0x51, struct.pack(">I", 16384)) + item(0x52, b"1.2.3"))
    variable = item(0x10, b"1.2.840.10008.3.1.1.1") + context(1, CT) + context(3, ECHO) + user
    fixed = b"\0\1\0\0" + b"SPINENODE".ljust(16) + b"RAW".ljust(16) + b"\0" * 32
    return struct.pack(">BBI", 1, 0, len(fixed + variable)) + fixed + variable


def pdv(context_id, control, data):
    return struct.pack(">IBB", len(data) + 2, context_id, control) + data


def p_data(*pdvs):
    body = b"".join(pdvs)
    return struct.pack(">BBI", 4, 0, len(body)) + body


def command_set(**changes):
    command = Dataset()
    command.AffectedSOPClassUID = CT.decode()
    command.CommandField = 1
    command.MessageID = 7
    command.Priority = 0
    command.CommandDataSetType = 1
    command.AffectedSOPInstanceUID = "1.2.3.4"
    for keyword, value in changes.items():
        setattr(command, keyword, value)
    encoded = encode(command, True, True)
    return struct.pack("<HHII", 0, 0, 4, len(encoded)) + encoded


def data_set():
    dataset = Dataset()
    dataset.SOPClassUID = CT.decode()
    dataset.SOPInstanceUID = "1.2.3.4"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "1.2", "1.3"
    dataset.PatientComments = "x" * 500
    return encode(dataset, True, True)


class RawPeer:
    """Speaks bytes; `answer` is the next PDU, or empty when the connection is over."""

    def __init__(self, port):
        self.connection = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.connection.sendall(associate_rq())
        assert self.answer()[0] == 2

    def answer(self):
        header = self._read(6)
        return header + self._read(struct.unpack(">I", header[2:])[0]) if header else b""

    def _read(self, nr_bytes):
        received = b""
        while len(received) < nr_bytes:
            try:
                chunk = self.connection.recv(nr_bytes - len(received))
            except ConnectionResetError:
                return b""
            if not chunk:
                return b""
            received += chunk
        return received

    def close(self):
        self.connection.close()


@pytest.fixture
def raw_peer(start_node):
    node = start_node()
    peers = []

    def connect():
        peers.append(RawPeer(node.server.port))
        return peers[-1]

    connect.node = node
    yield connect
    for peer in peers:
        peer.close()


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
