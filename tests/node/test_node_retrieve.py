"""C-MOVE and C-GET against a real Q/R SCP: what arrives is durable, what does not is said."""

from __future__ import annotations

import pytest
from pydicom.uid import generate_uid

from node import Destination, Permanent, Retryable, Spool, SpoolSettings
from node.retrieve_get import get_series
from node.retrieve_move import move_series

SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"


@pytest.fixture
def series(query_archive, make_instance):
    study, series = generate_uid(), generate_uid()
    query_archive.add(make_instance(study, series, pixel_seed=number) for number in range(6))
    query_archive.add([make_instance(study, generate_uid())])
    return study, series


@pytest.fixture
def peer(query_archive):
    return Destination("pacs", "PACS", "127.0.0.1", query_archive.port)


@pytest.fixture
def spool(tmp_path):
    spool = Spool(SpoolSettings(tmp_path / "spool", min_free_gib=0.0))
    yield spool
    spool.close()


def held(spool, series):
    received = spool.received_series(*series)
    return [] if received is None else [file.SOPInstanceUID for file in received.files]


def test_get_brings_exactly_one_series_into_the_spool(peer, series, spool, query_archive):
    seen = []
    result = get_series(peer, series, spool, lambda *counts: seen.append(counts))
    assert (result.completed, result.failed) == (6, 0)
    assert sorted(held(spool, series)) == sorted(
        instance.SOPInstanceUID
        for instance in query_archive.instances
        if instance.SeriesInstanceUID == series[1]
    )
    assert spool.index.counts() == (1, 6)
    assert seen[-1] == (6, 6)


def test_get_says_how_many_the_archive_did_not_send(peer, series, spool, query_archive):
    query_archive.broken = {query_archive.instances[2].SOPInstanceUID}
    result = get_series(peer, series, spool)
    assert (result.completed, result.failed) == (5, 1)
    assert "could not send 1 image" in result.comment
    assert len(held(spool, series)) == 5


def test_get_into_a_full_spool_acknowledges_nothing(peer, series, tmp_path):
    spool = Spool(SpoolSettings(tmp_path / "full", min_free_gib=1e9))
    with pytest.raises(Retryable, match="0xA702"):
        get_series(peer, series, spool)
    assert spool.index.counts() == (0, 0)
    spool.close()


def test_get_takes_ct_only(peer, series, spool, query_archive, make_instance):
    picture = make_instance(*series, sop_class_uid=SECONDARY_CAPTURE)
    query_archive.add([picture])
    result = get_series(peer, series, spool)
    assert (result.completed, result.failed) == (6, 1)
    assert picture.SOPInstanceUID not in held(spool, series)


def test_move_brings_a_series_to_a_running_node(peer, series, start_node, query_archive):
    node = start_node()
    query_archive.destinations["SPINENODE"] = ("127.0.0.1", node.server.port)
    result = move_series(peer, series, "SPINENODE")
    assert (result.completed, result.failed) == (6, 0)
    assert len(held(node.spool, series)) == 6


def test_move_to_a_destination_the_archive_does_not_know_is_named(peer, series):
    with pytest.raises(Permanent, match=r"pacs does not know the move destination NOWHERE"):
        move_series(peer, series, "NOWHERE")


def test_an_archive_that_dies_during_a_retrieval_is_retryable(peer, series, spool, query_archive):
    query_archive.before_retrieval = lambda event: event.assoc.abort()
    with pytest.raises(Retryable, match=r"pacs .*association"):
        get_series(peer, series, spool)
