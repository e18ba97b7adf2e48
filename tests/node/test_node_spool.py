"""The durable store: what it keeps, refuses, recovers and forgets."""

from __future__ import annotations

import shutil
import sqlite3
import threading
import time
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor

import pytest
from pydicom import dcmread
from pydicom.uid import generate_uid
from pynetdicom.dsutils import encode

from node import Addition, NotAcceptable, OutOfResources, Permanent
from node.received import series_key

DiskUsage = namedtuple("DiskUsage", "total used free")


def test_a_stored_file_reads_back_as_dicom(open_spool, incoming):
    spool, instance = open_spool(), incoming()
    stored, addition = spool.store(*instance)
    path = spool.root / stored.path
    assert addition is Addition.NEW
    assert path.read_bytes().endswith(instance.data_set)
    assert dcmread(path).SOPInstanceUID == instance.request.sop_instance_uid


@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")
@pytest.mark.parametrize("uid", ["../../../../etc/passwd", "/etc/passwd", "1.2\0.3", "1.2/../3"])
def test_hostile_uids_never_leave_the_spool(open_spool, incoming, uid, tmp_path):
    spool = open_spool()
    before = set(tmp_path.rglob("*"))
    with pytest.raises(NotAcceptable, match="not a UID"):
        spool.store(*incoming(study=uid, series=uid, sop_instance_uid=uid))
    assert all(path.is_relative_to(spool.root) for path in set(tmp_path.rglob("*")) - before)


def test_same_bytes_again_are_known_and_other_bytes_changed(open_spool, incoming):
    spool, uid = open_spool(), generate_uid()
    first = incoming(sop_instance_uid=uid, pixel_seed=1)
    second = incoming(sop_instance_uid=uid, pixel_seed=2)
    additions = [spool.store(*each)[1] for each in (first, first, second, second, first)]
    assert additions == [
        Addition.NEW,
        Addition.KNOWN,
        Addition.CHANGED,
        Addition.KNOWN,
        Addition.KNOWN,
    ]
    series = spool.received_series("1.2.3", "1.2.3.4")
    assert len(series.files) == 1
    assert series.files[0].path.read_bytes().endswith(second.data_set)


def test_a_file_deleted_by_somebody_is_written_again_on_resend(open_spool, incoming):
    spool, instance = open_spool(), incoming()
    stored, _ = spool.store(*instance)
    (spool.root / stored.path).unlink()
    spool.store(*instance)
    assert (spool.root / stored.path).exists()


@pytest.mark.parametrize(
    "keyword", ["SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"]
)
def test_a_missing_uid_is_refused_by_name(open_spool, incoming, make_instance, keyword):
    dataset = make_instance("1.2.3", "1.2.3.4")
    request = incoming(sop_instance_uid=dataset.SOPInstanceUID).request
    del dataset[keyword]
    spool = open_spool()
    with pytest.raises(NotAcceptable, match=keyword) as raised:
        spool.store(request, encode(dataset, False, True))
    assert raised.value.status == 0xA900
    assert spool.index.counts() == (0, 0)


def test_low_disk_refuses_and_recovers_by_itself(open_spool, incoming, monkeypatch):
    spool, free = open_spool(min_free_gib=1.0), [2**30 - 1]
    monkeypatch.setattr(shutil, "disk_usage", lambda _: DiskUsage(0, 0, free[0]))
    instance = incoming()
    with pytest.raises(OutOfResources):
        spool.store(*instance)
    assert spool.index.counts() == (0, 0)
    free[0] = 2**31
    assert spool.store(*instance)[1] is Addition.NEW


def test_a_failing_write_leaves_nothing_behind(open_spool, incoming, monkeypatch):
    spool = open_spool()
    monkeypatch.setattr("os.fsync", _no_space)
    with pytest.raises(OutOfResources):
        spool.store(*incoming())
    monkeypatch.undo()
    assert list((spool.root / "incoming").iterdir()) == []
    assert spool.index.counts() == (0, 0)
    assert spool.store(*incoming())[1] is Addition.NEW


def _no_space(_):
    raise OSError(28, "No space left on device")


def test_start_removes_torn_files_and_adopts_whole_ones(open_spool, incoming):
    """Crash points: inside the temporary file, and between rename and index."""
    spool = open_spool()
    kept, orphan = (spool.store(*incoming())[0] for _ in range(2))
    (spool.root / "incoming" / "1-1.part").write_bytes(b"half")
    spool.close()
    with sqlite3.connect(spool.root / "index.sqlite") as database:
        database.execute("DELETE FROM instance WHERE path=?", (orphan.path,))
    again = open_spool()
    assert (again.recovery.torn, again.recovery.adopted) == (1, 1)
    assert again.index.paths() == {kept.path, orphan.path}
    assert list((again.root / "incoming").iterdir()) == []


def test_a_lost_index_is_rebuilt_from_the_files(open_spool, incoming):
    spool = open_spool()
    paths = {spool.store(*incoming())[0].path for _ in range(3)}
    spool.close()
    for path in spool.root.glob("index.sqlite*"):
        path.unlink()
    again = open_spool()
    assert again.index.paths() == paths
    assert again.index.unhanded_series() == (series_key("1.2.3", "1.2.3.4"),)


def test_start_sets_damaged_orphans_aside(open_spool, incoming):
    spool = open_spool()
    stored, _ = spool.store(*incoming())
    path = spool.root / stored.path
    path.with_name("0" * 32 + "-" + "0" * 32 + ".dcm").write_bytes(path.read_bytes()[:-7])
    spool.close()
    again = open_spool()
    assert again.recovery.damaged == 1
    assert len(list((again.root / "damaged").iterdir())) == 1
    assert again.index.counts() == (1, 1)


def test_start_drops_entries_whose_file_is_gone(open_spool, incoming):
    """The other version of the instance becomes current; an empty series disappears."""
    spool, uid = open_spool(), generate_uid()
    first, _ = spool.store(*incoming(sop_instance_uid=uid, pixel_seed=1))
    second, _ = spool.store(*incoming(sop_instance_uid=uid, pixel_seed=2))
    lonely, _ = spool.store(*incoming(series="9.9"))
    for gone in (second, lonely):
        (spool.root / gone.path).unlink()
    spool.close()
    again = open_spool()
    assert again.recovery.missing == 2
    assert again.received_series("1.2.3", "1.2.3.4").files[0].checksum == first.checksum
    assert again.received_series("1.2.3", "9.9") is None


def test_purge_removes_files_and_entries_and_a_torn_purge_is_finished(open_spool, incoming):
    spool = open_spool()
    stored, _ = spool.store(*incoming())
    assert spool.purge("1.2.3", "1.2.3.4")
    assert not (spool.root / stored.path).exists()
    assert not spool.purge("1.2.3", "1.2.3.4")
    spool.store(*incoming())
    spool.index.begin_purge(series_key("1.2.3", "1.2.3.4"))
    spool.close()
    again = open_spool()
    assert again.index.counts() == (0, 0)
    assert list((again.root / "series").rglob("*.dcm")) == []


def test_retention_spares_what_was_not_handed_over(open_spool, incoming):
    spool = open_spool()
    spool.store(*incoming())
    key, past, future = series_key("1.2.3", "1.2.3.4"), time.time() - 3600, time.time() + 3600
    assert not spool.purge_rested(key, future)
    spool.index.mark_handed_over(key, spool.index.record(key).revision)
    assert not spool.purge_rested(key, past)
    assert spool.purge_rested(key, future)
    assert not spool.purge_rested(key, future)


def test_a_late_instance_saves_a_series_that_was_about_to_be_purged(open_spool, incoming):
    """It was acknowledged, and its row may still be on its way."""
    spool, key, future = open_spool(), series_key("1.2.3", "1.2.3.4"), time.time() + 3600
    spool.store(*incoming())
    spool.index.mark_handed_over(key, spool.index.record(key).revision)
    assert spool.index.handed_before(future) == (key,)
    late, _ = spool.store(*incoming())
    assert not spool.purge_rested(key, future)
    assert (spool.root / late.path).exists()


def test_only_what_a_consumer_took_is_purged_while_more_arrives(open_spool, incoming, wait_until):
    """The sender rests now and then, until the series is gone: so it meets purges."""
    spool, key = open_spool(), series_key("1.2.3", "1.2.3.4")
    taken, stored, over = set(), set(), threading.Event()

    def hand_over_and_purge():
        while not over.is_set():
            record = spool.index.record(key)
            if record is not None:
                taken.update(each.path for each in record.instances)
                spool.index.mark_handed_over(key, record.revision)
                spool.purge_rested(key, time.time() + 3600)

    with ThreadPoolExecutor(1) as pool:
        purging = pool.submit(hand_over_and_purge)
        try:
            for number in range(1, 101):
                stored.add(spool.store(*incoming())[0].path)
                if number % 15 == 0:
                    wait_until(lambda: spool.index.record(key) is None)
        finally:
            over.set()
        purging.result(30)
    on_disk = {str(path.relative_to(spool.root)) for path in spool.root.rglob("*.dcm")}
    assert stored - taken <= on_disk
    assert spool.index.paths() == on_disk


def test_two_owners_of_one_spool_are_refused(open_spool):
    spool = open_spool()
    with pytest.raises(Permanent, match="another process"):
        open_spool()
    spool.close()
    open_spool()
