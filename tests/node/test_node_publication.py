"""From a sealed temporary file to a name, a directory and an index entry, in this order."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import pytest
from pydicom.filebase import DicomFileLike
from pydicom.filewriter import write_dataset
from pydicom.uid import ExplicitVRLittleEndian

import node.spool
from node import Addition, OutOfResources, Spool, SpoolSettings, StoreRequest


@pytest.fixture
def spool(tmp_path):
    opened = Spool(SpoolSettings(tmp_path / "spool", min_free_gib=0.0))
    yield opened
    opened.close()


@pytest.fixture
def store(spool, make_instance):
    def one(number):
        dataset = make_instance("1.2.3", "1.2.3.4", sop_instance_uid=f"1.2.3.4.{number}")
        target = DicomFileLike(BytesIO())
        target.is_little_endian, target.is_implicit_VR = True, False
        write_dataset(target, dataset)
        request = StoreRequest(
            str(ExplicitVRLittleEndian), dataset.SOPClassUID, dataset.SOPInstanceUID, "SCANNER"
        )
        return spool.store(request, target.parent.getvalue())[1]

    return one


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
    note(node.spool, "sync_directory", "directory")
    note(spool.index, "add_all", "index")
    return story


def test_nothing_is_named_or_indexed_before_it_is_on_the_disk(store, steps):
    store(1)
    steps.clear()
    store(2)
    # The flush behind "directory" is that of the directory itself.
    assert steps == ["flush", "name", "directory", "flush", "index"]


def test_instances_that_wait_share_the_directory_and_the_index(spool, store, steps, monkeypatch):
    store(0)
    first_is_in, go_on = threading.Event(), threading.Event()
    original = spool.index.add_all

    def held(instances):
        first_is_in.set()
        assert go_on.wait(20)
        return original(instances)

    monkeypatch.setattr(spool.index, "add_all", held)
    steps.clear()
    with ThreadPoolExecutor(6) as pool:
        first = pool.submit(store, 1)
        assert first_is_in.wait(20)
        others = [pool.submit(store, number) for number in range(2, 7)]
        while len(spool._publications._waiting) < 5:
            pass
        go_on.set()
        assert {each.result(20) for each in (first, *others)} == {Addition.NEW}
    assert steps.count("name") == 6
    assert steps.count("directory") == steps.count("index") == 2
    assert spool.index.counts() == (1, 7)


def test_a_directory_that_cannot_be_flushed_is_no_success(spool, store, monkeypatch):
    def fail(_folder):
        raise OSError("disk")

    with monkeypatch.context() as broken:
        broken.setattr(node.spool, "sync_directory", fail)
        with pytest.raises(OutOfResources):
            store(1)
    assert spool.index.counts() == (0, 0)
    assert list((spool.root / "incoming").iterdir()) == []
    assert store(1) is Addition.NEW
