"""From memory to a file with its name, then to an index entry; and what is left when it ends."""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import pytest
from pydicom import dcmread
from pydicom.filebase import DicomFileLike
from pydicom.filewriter import write_dataset
from pydicom.uid import ExplicitVRLittleEndian

import node.contents
import node.folders
import node.late_entries
from node import Addition, OutOfResources, Spool, SpoolSettings, StoreRequest
from node.contents import SeriesContents
from node.durable import names_follow_content
from node.incoming import MEMORY_BYTES
from node.received import series_key

KEY = series_key("1.2.3", "1.2.3.4")


@pytest.fixture
def spool(tmp_path):
    opened = Spool(SpoolSettings(tmp_path / "spool", min_free_gib=0.0))
    yield opened
    opened.close()


@pytest.fixture
def encoded(make_instance):
    def one(number, seed=0, more_bytes=0):
        dataset = make_instance(
            "1.2.3", "1.2.3.4", sop_instance_uid=f"1.2.3.4.{number}", pixel_seed=seed
        )
        dataset.PixelData += bytes(more_bytes)
        target = DicomFileLike(BytesIO())
        target.is_little_endian, target.is_implicit_VR = True, False
        write_dataset(target, dataset)
        request = StoreRequest(
            str(ExplicitVRLittleEndian), dataset.SOPClassUID, dataset.SOPInstanceUID, "SCANNER"
        )
        return request, target.parent.getvalue()

    return one


@pytest.fixture
def store(spool, encoded):
    return lambda *args, **options: spool.store(*encoded(*args, **options))[1]


@pytest.fixture
def power_cut(spool, tmp_path):
    """A spool as it is found after this instant: what is in memory only is gone."""
    opened = []

    def cut():
        with sqlite3.connect(tmp_path / "cut.sqlite") as rows:
            spool.index._database._connection.backup(rows)
        rows.close()
        left = tmp_path / f"left{len(opened)}"
        shutil.copytree(
            spool.root, left, ignore=shutil.ignore_patterns("index.sqlite*", "owner.lock")
        )
        (tmp_path / "cut.sqlite").rename(left / "index.sqlite")
        opened.append(Spool(SpoolSettings(left, min_free_gib=0.0)))
        return opened[-1]

    yield cut
    for each in opened:
        each.close()


@pytest.fixture
def rows_stay_away(spool, monkeypatch):
    """The index file takes no row."""

    def full(_entries):
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(spool.index._late, "_write", full)
    yield
    monkeypatch.undo()


@pytest.fixture
def steps(spool, monkeypatch):
    """What was done to the disk, in order."""
    story = []

    def note(owner, name, word):
        original = getattr(owner, name)

        def noted(*args):
            story.append(word)
            return original(*args)

        monkeypatch.setattr(owner, name, noted)

    note(os, "fsync", "flush")
    note(os, "replace", "name")
    note(node.folders, "sync_directory", "directory")
    note(spool.index, "enter", "entry")
    return story


@pytest.fixture
def names_need_a_flush(tmp_path, monkeypatch):
    """A spool on a file system that promises no more than POSIX does."""
    monkeypatch.setattr(node.folders, "names_follow_content", lambda _: False)
    spool = Spool(SpoolSettings(tmp_path / "other", min_free_gib=0.0))
    yield spool
    spool.close()


def test_an_image_is_flushed_once_and_known_to_the_index_afterwards(store, steps):
    store(1)
    steps.clear()
    assert store(2) is Addition.NEW
    assert steps in (["flush", "entry"], ["flush", "directory", "flush", "entry"])


def test_what_is_longer_than_the_memory_gets_its_name_after_its_flush(spool, encoded, steps):
    request, data_set = encoded(1, more_bytes=2 * MEMORY_BYTES + 77)
    stored, _ = spool.store(request, data_set)
    assert steps.index("flush") < steps.index("name") < steps.index("entry")
    assert (spool.root / stored.path).read_bytes().endswith(data_set)
    assert spool.store(request, data_set)[1] is Addition.KNOWN
    assert list((spool.root / "incoming").iterdir()) == []


def test_where_names_do_not_follow_their_content_the_directory_is_flushed_too(
    names_need_a_flush, encoded, monkeypatch
):
    spool, flushed = names_need_a_flush, []
    monkeypatch.setattr(node.folders, "sync_directory", flushed.append)
    stored, _ = spool.store(*encoded(1))
    assert flushed == [str((spool.root / stored.path).parent)]


def test_a_directory_that_cannot_be_flushed_is_no_success(names_need_a_flush, encoded, monkeypatch):
    def fail(_folder):
        raise OSError("disk")

    spool = names_need_a_flush
    with monkeypatch.context() as broken:
        broken.setattr(node.folders, "sync_directory", fail)
        with pytest.raises(OutOfResources):
            spool.store(*encoded(1))
    assert spool.index.counts() == (0, 0)
    assert list((spool.root / "incoming").iterdir()) == []
    assert spool.store(*encoded(1))[1] is Addition.NEW


@pytest.mark.parametrize(
    ("kind", "expected"), [("ext4", True), ("xfs", True), ("nfs4", False), ("overlay", False)]
)
def test_only_file_systems_known_for_it_are_trusted_with_names(tmp_path, kind, expected):
    device = tmp_path.stat().st_dev
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        f"1 0 0:999 / /proc rw - proc proc rw\n"
        f"2 1 {os.major(device)}:{os.minor(device)} / / rw shared:1 - {kind} /dev/x rw\n"
    )
    assert names_follow_content(tmp_path, mounts) is expected
    assert names_follow_content(tmp_path, tmp_path / "missing") is False


def test_what_was_acknowledged_is_found_again_without_its_rows(
    spool, store, encoded, rows_stay_away, power_cut
):
    """Sender, revision and the later of two contents, too."""
    before = [store(1), store(2), store(2, seed=9)]
    assert before == [Addition.NEW, Addition.NEW, Addition.CHANGED]
    later = encoded(2, seed=9)[1]
    (newest,) = (each for each in spool.root.rglob("*.dcm") if later in _bytes(each))
    os.utime(newest, (time.time() + 1,) * 2)
    after = power_cut()
    assert (after.recovery.adopted, after.recovery.damaged) == (3, 0)
    series = after.index.record(KEY)
    assert (series.calling_ae_title, series.revision, series.handed_revision) == ("SCANNER", 3, 0)
    contents = {each.SOPInstanceUID: each for each in series.instances}
    assert _bytes(after.root / contents["1.2.3.4.2"].path).endswith(later)
    assert after.store(*encoded(2, seed=9))[1] is Addition.KNOWN


def _bytes(path):
    return path.read_bytes()


def test_a_changed_resend_without_its_row_opens_its_series_again(
    spool, store, monkeypatch, power_cut
):
    store(1)
    spool.index.mark_handed_over(KEY, spool.index.record(KEY).revision)
    monkeypatch.setattr(spool.index._late, "_write", lambda _: 1 / 0)
    assert store(1, seed=5) is Addition.CHANGED
    monkeypatch.undo()
    after = power_cut()
    assert after.index.unhanded_series() == (KEY,)


def test_a_torn_file_under_its_final_name_is_not_taken_for_an_image(
    spool, store, rows_stay_away, power_cut
):
    """A power cut while it was written; it had not been acknowledged."""
    store(1)
    (path,) = (spool.root / "series").rglob("*.dcm")
    os.truncate(path, path.stat().st_size // 2)
    after = power_cut()
    assert (after.recovery.adopted, after.recovery.damaged) == (0, 1)
    assert after.index.counts() == (0, 0)


def test_questions_find_what_has_no_row_yet(spool, store):
    store(1)
    assert spool.index.sop_classes_of("1.2.3.4.1")
    store(2)
    assert len(spool.index.record(KEY).instances) == 2
    store(3)
    assert spool.index.counts() == (1, 3)


def test_rows_that_the_disk_refused_are_written_when_it_has_room(
    spool, store, monkeypatch, wait_until
):
    monkeypatch.setattr(node.late_entries, "RETRY_SECONDS", 0.01)
    original, refused = spool.index._late._write, []

    def refuse_twice(entries):
        if len(refused) < 2:
            refused.append(len(entries))
            raise sqlite3.OperationalError("database or disk is full")
        original(entries)

    monkeypatch.setattr(spool.index._late, "_write", refuse_twice)
    store(1)
    wait_until(lambda: not spool.index._late._waiting)
    assert refused == [1, 1]
    assert spool.index.counts() == (1, 1)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_rows_are_written_without_the_thread_that_writes_them(
    spool, store, monkeypatch, wait_until
):
    """Should it ever end, each image writes the row of the one before, and questions all."""
    late, original = spool.index._late, spool.index._late._write
    monkeypatch.setattr(late, "_write", lambda _: 1 / 0)
    store(1)
    wait_until(lambda: not late._thread.is_alive())
    monkeypatch.setattr(late, "_write", original)
    store(2)
    assert len(late._waiting) == 1
    assert spool.index.counts() == (1, 2)


def test_the_same_image_from_many_senders_is_kept_once(spool, store):
    with ThreadPoolExecutor(8) as pool:
        additions = list(pool.map(lambda _: store(1), range(16)))
    assert sorted(additions, key=str) == [Addition.KNOWN] * 15 + [Addition.NEW]
    assert len(list((spool.root / "series").rglob("*.dcm"))) == 1


def test_senders_of_different_contents_are_told_apart(spool, store):
    with ThreadPoolExecutor(8) as pool:
        additions = list(pool.map(lambda seed: store(1, seed=seed), range(8)))
    assert additions.count(Addition.NEW) == 1
    assert additions.count(Addition.CHANGED) == 7
    assert spool.index.counts() == (1, 8)
    assert len(spool.index.record(KEY).instances) == 1


def test_senders_are_told_apart_while_the_series_is_purged(spool, store):
    stop = threading.Event()

    def purge():
        while not stop.is_set():
            spool.purge("1.2.3", "1.2.3.4")

    purger = threading.Thread(target=purge)
    purger.start()
    try:
        for _ in range(50):
            assert store(1) in (Addition.NEW, Addition.KNOWN)
    finally:
        stop.set()
        purger.join()
    record = spool.index.record(KEY)
    files = list((spool.root / "series").rglob("*.dcm"))
    assert len(files) == (0 if record is None else len(record.instances))


def test_meta_information_names_the_sender(spool, encoded):
    stored, _ = spool.store(*encoded(1))
    assert dcmread(spool.root / stored.path).file_meta.SourceApplicationEntityTitle == "SCANNER"


def test_the_oldest_series_is_forgotten_and_asked_for_again(monkeypatch):
    monkeypatch.setattr(node.contents, "REMEMBERED_INSTANCES", 3)
    asked = []

    def load(key):
        asked.append(key)
        return [(f"{key}.1", "a"), (f"{key}.1", "b")]

    contents = SeriesContents(load)
    assert contents.versions("s", "s.1") == ("a", "b")
    contents.add("s", "s.2", "c")
    contents.add("t", "t.2", "d")
    assert contents.versions("t", "t.2") == ("d",)
    assert contents.versions("s", "s.1") == ("a", "b")
    assert asked == ["s", "t", "s"]
