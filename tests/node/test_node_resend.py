"""An instance that comes again: decided by its bytes, in bounded memory, holding up nobody."""

from __future__ import annotations

import hashlib
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from pydicom.uid import generate_uid

from node import Addition, NotAcceptable
from node.incoming import MEMORY_BYTES
from node.resend import PIECE_BYTES, holds

LENGTHS = [0, PIECE_BYTES, MEMORY_BYTES + PIECE_BYTES]
"""Of an element in the data set: in one piece, in several, beyond the memory of one instance."""


class WeakChecksum:
    """Every content has the same."""

    def update(self, data):
        pass

    def hexdigest(self):
        return "0" * 32


@pytest.fixture
def twins(incoming):
    """Two contents of one instance that differ in their last byte."""

    def build(length=0):
        one = incoming(more_bytes=length)
        return one, one._replace(data_set=one.data_set[:-1] + bytes([one.data_set[-1] ^ 1]))

    return build


def bytes_of(spool, stored):
    return (spool.root / stored.path).read_bytes()


@pytest.mark.parametrize("length", LENGTHS)
def test_one_byte_decides(open_spool, twins, length):
    spool, (one, other) = open_spool(), twins(length)
    additions = [spool.store(*each)[1] for each in (one, one, other, other, one)]
    new, known, changed = Addition.NEW, Addition.KNOWN, Addition.CHANGED
    assert additions == [new, known, changed, known, known]
    assert spool.index.counts() == (1, 2)


def test_another_sender_changes_nothing(open_spool, incoming):
    """Its title is in the file, before the data set, and is longer."""
    spool, uid = open_spool(), generate_uid()
    first, _ = spool.store(*incoming(sop_instance_uid=uid))
    again, addition = spool.store(*incoming(sop_instance_uid=uid, calling="ROUTER_OF_THE_XR"))
    assert (again.path, addition) == (first.path, Addition.KNOWN)


@pytest.mark.parametrize("length", LENGTHS)
def test_equal_checksums_of_other_bytes_lose_nothing(open_spool, twins, length, monkeypatch):
    monkeypatch.setattr("xxhash.xxh3_128", WeakChecksum)
    spool, (one, other) = open_spool(), twins(length)
    stored, _ = spool.store(*one)
    before = bytes_of(spool, stored)
    with pytest.raises(NotAcceptable, match="same checksum"):
        spool.store(*other)
    assert spool.store(*one)[1] is Addition.KNOWN
    assert bytes_of(spool, stored) == before
    assert list((spool.root / "incoming").iterdir()) == []


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize(
    "harm",
    [
        lambda content: content[:-1] + bytes([content[-1] ^ 1]),
        lambda content: content[:-4096],
        lambda content: b"\0" * len(content),
        lambda _: b"",
    ],
    ids=["one bit", "cut", "zeroed", "empty"],
)
def test_a_damaged_file_is_healed_by_the_same_instance(open_spool, twins, length, harm):
    spool, (one, _) = open_spool(), twins(length)
    stored, _ = spool.store(*one)
    before = bytes_of(spool, stored)
    (spool.root / stored.path).write_bytes(harm(before))
    assert spool.store(*one)[1] is Addition.KNOWN
    assert bytes_of(spool, stored) == before


def test_comparing_holds_two_small_pieces(tmp_path, open_spool, incoming):
    spool, instance = open_spool(), incoming(more_bytes=5 * PIECE_BYTES)
    stored, _ = spool.store(*instance)
    asked = []

    class Received:
        size_bytes = len(instance.data_set)

        def piece(self, start, length):
            asked.append(length)
            return instance.data_set[start : start + length]

    assert holds(str(spool.root / stored.path), Received())
    assert len(asked) == 6
    assert max(asked) <= PIECE_BYTES


def test_a_long_comparison_holds_up_no_other_instance(open_spool, incoming, monkeypatch):
    spool, instance = open_spool(), incoming()
    spool.store(*instance)
    compares, go_on = threading.Event(), threading.Event()

    def slowly(path, received):
        compares.set()
        assert go_on.wait(20)
        return holds(path, received)

    monkeypatch.setattr("node.spool.holds", slowly)
    with ThreadPoolExecutor(1) as pool:
        again = pool.submit(spool.store, *instance)
        assert compares.wait(20)
        assert spool.store(*incoming())[1] is Addition.NEW
        assert not again.done()
        go_on.set()
        assert again.result(20)[1] is Addition.KNOWN


@pytest.fixture
def former_spool(open_spool, monkeypatch):
    """Make a spool with what it holds as earlier versions did, its instances named by SHA-256."""

    def make(*instances):
        with monkeypatch.context() as past:
            past.setattr("xxhash.xxh3_128", hashlib.sha256)
            spool = open_spool()
            stored = [spool.store(*each)[0] for each in instances]
            series = spool.received_series("1.2.3", "1.2.3.4")
            spool.close()
        with sqlite3.connect(spool.root / "index.sqlite") as database:
            database.execute("ALTER TABLE instance RENAME COLUMN checksum TO sha256")
        return stored, series

    return make


def test_a_former_spool_goes_on_as_it_is(open_spool, former_spool, twins):
    one, other = twins()
    (stored,), series = former_spool(one)
    spool = open_spool()
    assert vars(spool.recovery) == {"torn": 0, "adopted": 0, "damaged": 0, "missing": 0}
    assert spool.received_series("1.2.3", "1.2.3.4") == series
    assert spool.store(*one) == (stored, Addition.KNOWN)
    assert spool.store(*other)[1] is Addition.CHANGED
    assert spool.store(*one)[1] is Addition.KNOWN
    assert spool.index.counts() == (1, 2)


def test_former_files_without_entry_are_adopted_and_torn_ones_set_aside(
    open_spool, former_spool, incoming
):
    """Stopped by a power cut before the upgrade, with the index lost altogether."""
    (whole, torn), _ = former_spool(incoming(), incoming(series="9.9"))
    root = open_spool.folder
    (root / torn.path).write_bytes((root / torn.path).read_bytes()[:-7])
    for path in root.glob("index.sqlite*"):
        path.unlink()
    spool = open_spool()
    assert (spool.recovery.adopted, spool.recovery.damaged) == (1, 1)
    assert spool.received_series("1.2.3", "1.2.3.4").files[0].checksum == whole.checksum
    assert spool.received_series("1.2.3", "9.9") is None
