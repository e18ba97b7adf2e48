"""What the service owes to fetches: a place in the queue, and to ask for announced numbers."""

from __future__ import annotations

from datetime import timedelta

import pytest

from node import Retryable, Spool, SpoolSettings, StoreRequest
from node.part10 import parse_meta
from service.completeness import series_settings
from service.config_file import load_config
from service.errors import UsageError
from service.fetch.ledger import FetchLedger, FetchState, LedgerEntry
from service.fetch.leftovers import purge_leftovers
from service.fetch.local_queue import LocalQueue
from service.fetch.sources import find_source
from service.intake import Intake
from service.layout import fetch_ledger_file, fetched_images_folder
from service.metrics import Metrics
from service.priority import BACKFILL_PRIORITY, STAT_PRIORITY
from service.series_register import SeriesRegister
from service.toolbox import Toolbox


def store(spool, image, path):
    """Put an image into a spool as if it had come over an association."""
    image.save_as(path, enforce_file_format=True)
    file = path.read_bytes()
    syntax, offset = parse_meta(file)
    request = StoreRequest(syntax, image.SOPClassUID, image.SOPInstanceUID, "PACS")
    spool.store(request, file[offset:])


@pytest.fixture
def received(tmp_path, make_slice):
    """An urgent series as the node received it."""
    spool = Spool(SpoolSettings(tmp_path / "images", min_free_gib=0.0))
    for number in range(10):
        image = make_slice("1.2.3", "1.2.3.4", number, RequestedProcedurePriority="STAT")
        store(spool, image, tmp_path / "slice.dcm")
    yield spool.received_series("1.2.3", "1.2.3.4", "quiet")
    spool.close()


@pytest.mark.parametrize(("asked", "priority"), [(False, STAT_PRIORITY), (True, BACKFILL_PRIORITY)])
def test_what_was_fetched_waits_however_urgent_it_once_was(
    make_config, received, tmp_path, asked, priority
):
    config = load_config(make_config())
    ledger = FetchLedger(fetch_ledger_file(config))
    if asked:
        ledger.enter(LedgerEntry("1.2.3.4", "1.2.3", FetchState.ASKED))
    ledger.close()
    register = SeriesRegister(tmp_path / "register.sqlite")
    queue = LocalQueue(tmp_path / "results")
    Intake(Toolbox(config), queue, register, Metrics(dict, tmp_path)).series_complete(received)
    assert register.find("1.2.3.4").facts.priority == priority
    register.close()


def test_images_that_a_fetch_left_behind_are_deleted_in_time(make_config, make_slice, tmp_path):
    config = load_config(make_config())
    assert purge_leftovers(config, timedelta(0)) == 0, "nothing was ever fetched"
    spool = Spool(SpoolSettings(fetched_images_folder(config), min_free_gib=0.0))
    store(spool, make_slice("1.2.3", "1.2.3.4", 1), tmp_path / "slice.dcm")
    assert purge_leftovers(config, timedelta(0)) == 0, "a fetch is running"
    spool.close()
    assert purge_leftovers(config, timedelta(days=7)) == 0
    assert purge_leftovers(config, timedelta(0)) == 1
    assert list(fetched_images_folder(config).rglob("*.dcm")) == []


def test_the_archive_is_asked_for_the_number_of_images_where_configured(
    make_config, holdings, query_archive
):
    uids = holdings.add(10)
    assert series_settings(load_config(make_config())).announced is None
    node = {"port": 11112, "series": {"expected_count_query": True, "quiet_seconds": 3}}
    settings = series_settings(load_config(make_config(node=node)))
    assert settings.quiet_seconds == 3
    assert settings.announced(*uids) == 10
    assert settings.announced(uids[0], "1.9") is None
    query_archive.stop()
    with pytest.raises(Retryable, match="cannot be reached"):
        settings.announced(*uids)


def test_a_destination_can_be_asked_too_and_an_unknown_name_lists_the_known(make_config):
    config = load_config(
        make_config(
            destinations=[
                {"name": "web", "dicomweb_url": "http://127.0.0.1:9/dw"},
                {"name": "store", "ae_title": "S", "host": "127.0.0.1", "port": 9},
            ]
        )
    )
    services = {name: find_source(config, name).service for name in ("pacs", "web", "store")}
    assert services == {"pacs": "get", "web": "dicomweb", "store": "move"}
    assert find_source(config, None).name == "pacs"
    with pytest.raises(UsageError, match=r"no source 'x' .*\(configured: pacs, web, store\)"):
        find_source(config, "x")


def test_without_sources_the_message_says_where_to_add_one(make_config):
    with pytest.raises(UsageError, match="add one to sources"):
        find_source(load_config(make_config(sources=[])), None)


def test_with_several_sources_one_has_to_be_chosen(make_config):
    peer = {"ae_title": "P", "host": "127.0.0.1", "port": 9}
    config = load_config(make_config(sources=[{"name": "a", **peer}, {"name": "b", **peer}]))
    with pytest.raises(UsageError, match=r"choose one with --source \(a, b\)"):
        find_source(config, None)
