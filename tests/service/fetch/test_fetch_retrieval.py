"""A series arrives whole, or the reason why not is named; what is there is not fetched again."""

from __future__ import annotations

import pytest

from node import Destination, LoopbackArchive, Permanent, Retryable, Spool, SpoolSettings
from node.query_find import FindQuery
from service.fetch.retrieval import NodeMover, SpoolRetriever, listed
from service.fetch.sources import Source


@pytest.fixture
def peer(query_archive):
    return Destination("pacs", "PACS", "127.0.0.1", query_archive.port)


@pytest.fixture
def wanted(peer):
    """Ask for a series as the archive lists it."""
    query = FindQuery(peer)

    def ask(uids):
        (series,) = [s for s in query.series(uids[0]).items if s.SeriesInstanceUID == uids[1]]
        return listed(query, series)

    yield ask
    query.close()


@pytest.fixture
def spool(tmp_path):
    spool = Spool(SpoolSettings(tmp_path / "images", min_free_gib=0.0))
    yield spool
    spool.close()


@pytest.fixture
def retriever(peer, spool):
    return SpoolRetriever(Source(peer, "get"), spool, "SPINENODE")


@pytest.fixture
def sent(query_archive, monkeypatch):
    """How many images the archive sent in each retrieval."""
    counts = []
    original = query_archive._retrieved

    def counted(event):
        found = original(event)
        counts.append(len(found))
        return found

    monkeypatch.setattr(query_archive, "_retrieved", counted)
    return counts


def unwatched(_arrived, _announced):
    pass


def test_a_whole_series_is_fetched_once(holdings, wanted, retriever, sent):
    asked = wanted(holdings.add(12))
    assert retriever.retrieve(asked, unwatched) == 12
    assert retriever.retrieve(asked, unwatched) == 12
    assert sent == [12]


def test_only_what_is_missing_is_fetched_after_an_interruption(
    holdings, wanted, retriever, sent, query_archive
):
    asked = wanted(holdings.add(12))
    lost = {i.SOPInstanceUID for i in query_archive.instances[7:]}
    query_archive.broken = lost
    with pytest.raises(Retryable, match=r"7 of 12 images arrived: pacs could not send 5 images"):
        retriever.retrieve(asked, unwatched)
    query_archive.broken = set()
    assert retriever.retrieve(asked, unwatched) == 12
    assert sent == [12, 5]


def test_images_withheld_in_silence_are_noticed(holdings, wanted, retriever, query_archive):
    asked = wanted(holdings.add(12))
    query_archive.withheld = {query_archive.instances[3].SOPInstanceUID}
    with pytest.raises(Retryable, match="11 of 12 images arrived"):
        retriever.retrieve(asked, unwatched)


def test_a_picture_in_the_series_is_no_missing_image(holdings, wanted, retriever):
    uids = holdings.add(12)
    holdings.add_picture(*uids)
    asked = wanted(uids)
    assert asked.images == 12
    assert retriever.retrieve(asked, unwatched) == 12


def test_where_the_list_of_images_is_cut_the_count_decides(
    holdings, wanted, retriever, query_archive
):
    uids = holdings.add(12)
    query_archive.limit = 5
    asked = wanted(uids)
    assert (asked.sop_instance_uids, asked.images) == (frozenset(), 12)
    query_archive.broken = {query_archive.instances[0].SOPInstanceUID}
    with pytest.raises(Retryable, match="11 of 12"):
        retriever.retrieve(asked, unwatched)


def test_where_it_sends_to_the_node_the_archives_own_count_decides(
    holdings, wanted, peer, query_archive, tmp_path
):
    asked = wanted(holdings.add(12))
    with LoopbackArchive(tmp_path / "node", ae_title="SPINENODE") as node:
        query_archive.destinations["SPINENODE"] = ("127.0.0.1", node.port)
        assert NodeMover(peer, "SPINENODE").retrieve(asked, unwatched) == 12
        query_archive.broken = {query_archive.instances[0].SOPInstanceUID}
        with pytest.raises(Retryable, match="11 of 12 images arrived"):
            NodeMover(peer, "SPINENODE").retrieve(asked, unwatched)


def test_a_node_that_is_not_there_is_named(holdings, wanted, peer, query_archive):
    asked = wanted(holdings.add(12))
    query_archive.destinations["SPINENODE"] = ("127.0.0.1", 9)  # nobody listens there
    with pytest.raises(Permanent, match=r"the move destination SPINENODE, or cannot reach it"):
        NodeMover(peer, "SPINENODE").retrieve(asked, unwatched)
