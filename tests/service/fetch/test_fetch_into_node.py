"""`spinenode fetch` into a running node: over its listener, once, and never in the way."""

from __future__ import annotations

import json
import queue
from pathlib import Path

import pytest
import yaml

from node import ListenerSettings, NodeServer, Peer, SeriesSettings, Spool, SpoolSettings
from service.config_file import load_config
from service.fetch.ledger import was_asked_for
from service.fetch.room import NodeRoom
from service.layout import fetch_ledger_file
from service.series_facts import SeriesFacts
from service.series_register import (
    RegisteredSeries,
    SeriesRegister,
    SeriesState,
    register_location,
)


@pytest.fixture
def start_node(tmp_path):
    """Start the listener of a node where a configuration says; return what it receives."""
    running = []

    def start(config: Path, peers: tuple[Peer, ...] = ()) -> queue.Queue:
        port = yaml.safe_load(config.read_text())["node"]["port"]
        spool = Spool(SpoolSettings(tmp_path / "spool" / "images", min_free_gib=0.0))
        received: queue.Queue = queue.Queue()
        server = NodeServer(
            ListenerSettings(host="127.0.0.1", port=port, peers=peers),
            spool,
            SeriesSettings(quiet_seconds=0.2),
            received.put,
        )
        server.start()
        running.append((server, spool))
        return received

    yield start
    for server, spool in running:
        server.stop(drain_seconds=2)
        spool.close()


@pytest.mark.parametrize("retrieve", ["move", "get"])
def test_a_series_reaches_the_node_whole_and_once(
    make_config, run_fetch, start_node, holdings, retrieve, tmp_path
):
    uids = holdings.add(10, AccessionNumber="A1")
    config = make_config(retrieve)
    received = start_node(config)
    code, out, err = run_fetch(config, "--accession=A1", "--json")
    assert (code, err) == (0, "")
    series = received.get(timeout=10)
    assert (series.StudyInstanceUID, series.SeriesInstanceUID) == uids
    assert len(series.files) == 10
    assert series.calling_ae_title == ("SPINENODE" if retrieve == "get" else "PACS")
    assert was_asked_for(fetch_ledger_file(load_config(config)), uids[1])
    code, out, _ = run_fetch(config, "--accession=A1", "--json")
    assert (code, json.loads(out)["series"][0]["skipped"]) == (0, True)
    assert holdings.archive.retrieved == [uids[1]]
    code, *_ = run_fetch(config, "--accession=A1", "--again")
    assert (code, holdings.archive.retrieved) == (0, [uids[1]] * 2)
    assert list((tmp_path / "spool" / "fetch").rglob("*.dcm")) == []


def test_what_the_node_received_by_itself_is_not_fetched(
    make_config, run_fetch, start_node, holdings, query_archive
):
    study, series = holdings.add(10, AccessionNumber="A1")
    config = make_config()
    start_node(config)
    register = SeriesRegister(register_location(load_config(config).database_url))
    entry = RegisteredSeries(
        series, study, "job", SeriesState.CHOSEN, "CT1", SeriesFacts(images=10)
    )
    register.enter(entry)
    register.close()
    code, out, _ = run_fetch(config, "--accession=A1", "--json")
    assert (code, json.loads(out)["series"][0]["skipped"]) == (0, True)
    assert query_archive.retrieved == []


def test_more_images_in_the_archive_than_in_the_node_are_fetched(
    make_config, run_fetch, start_node, holdings, make_slice
):
    uids = holdings.add(10, AccessionNumber="A1")
    config = make_config()
    start_node(config)
    assert run_fetch(config, "--accession=A1")[0] == 0
    holdings.archive.add([make_slice(*uids, 11, AccessionNumber="A1")])
    assert run_fetch(config, "--accession=A1")[0] == 0
    assert holdings.archive.retrieved == [uids[1]] * 2


def test_a_node_that_does_not_know_us_says_what_to_add(
    make_config, run_fetch, start_node, holdings
):
    holdings.add(10, AccessionNumber="A1")
    config = make_config()
    start_node(config, peers=(Peer("CT1"),))
    code, _, err = run_fetch(config, "--accession=A1")
    assert code == 2
    assert "add {ae_title: SPINENODE, host: 127.0.0.1} to node.peers" in err


def test_a_rate_that_cannot_be_kept_is_refused(make_config, run_fetch):
    options = ("--accession=A1", "--megabytes-per-second=1")
    code, _, err = run_fetch(make_config("move"), *options)
    assert (code, "cannot be kept" in err) == (2, True)


class Told:
    def __init__(self):
        self.texts = []

    def doing(self, what):
        self.texts.append(what)


def node_room(config, answers, most_waiting):
    asked = iter(answers)
    slept = []
    return NodeRoom(config, lambda: next(asked), most_waiting, slept.append), slept


def test_a_full_queue_is_waited_for_and_not_asked_about_each_series(make_config, tmp_path):
    (tmp_path / "spool").mkdir()
    room, slept = node_room(load_config(make_config()), [9, 6, 4, 5], 5)
    told = Told()
    assert room(told) == ""
    assert (told.texts, len(slept)) == (
        ["9 series wait in the node", "6 series wait in the node"],
        2,
    )
    with pytest.raises(StopIteration):
        room(told)  # one was allowed: asked again, and full


def test_what_the_node_receives_today_keeps_its_disk(make_config, tmp_path):
    (tmp_path / "spool").mkdir()
    config = make_config(
        node={"spool": str(tmp_path / "spool"), "min_free_gib": 1e9, "port": 11112}
    )
    room, _ = node_room(load_config(config), [], 5)
    assert "what the node receives today comes first" in room(Told())
