"""`spinenode fetch --out`: fetched, analysed here, resumed after a kill, and its tables."""

from __future__ import annotations

import csv
import json
import socket
import threading
from pathlib import Path

import pytest
import yaml
from pydicom.uid import CTImageStorage
from pynetdicom import AE

from node import BackoffPolicy
from service.fetch import transfer


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_a_dry_run_lists_and_fetches_nothing(make_config, run_fetch, holdings, query_archive):
    wanted = holdings.add(10)
    scout = holdings.add(2, study=wanted[0], SeriesDescription="Topogram")
    days = ("--from", "2025-02-28", "--to", "2025-03-02")
    code, out, err = run_fetch(make_config(), *days, "--dry-run", "--out", "results", "--json")
    plan = json.loads(out)
    assert (code, err) == (0, "")
    assert [each["series_instance_uid"] for each in plan["series"]] == [wanted[1]]
    assert [each["series_instance_uid"] for each in plan["left_out"]] == [scout[1]]
    assert query_archive.retrieved == []
    assert not Path("results").exists()


def test_a_kill_in_the_middle_costs_no_series_that_was_through(
    make_config, start_fetch, run_fetch, holdings, query_archive, tmp_path
):
    uids = [holdings.add(10, AccessionNumber=f"A{n}") for n in range(3)]
    begun = threading.Event()
    held_up = threading.Event()

    def hold_up_the_second(_event):
        if len(query_archive.retrieved) == 1 and not begun.is_set():
            begun.set()
            held_up.wait(60)

    query_archive.before_retrieval = hold_up_the_second
    options = [*(f"--accession=A{n}" for n in range(3)), "--out", "results", "--json"]
    config = make_config()
    process = start_fetch(config, *options)
    assert begun.wait(60)
    process.kill()
    process.communicate(timeout=30)
    held_up.set()
    code, out, err = run_fetch(config, *options)
    report = json.loads(out)
    assert [each["skipped"] for each in report["series"]] == [True, False, False]
    assert report["counts"] == {"not_analysable": 3}
    assert code == 3, err
    once = [uid for _, uid in uids]
    assert [query_archive.retrieved.count(uid) for uid in once] == [1, 2, 1]
    table = rows(tmp_path / "results" / "series.csv")
    assert {row["series_instance_uid"] for row in table} == set(once)
    assert {row["accession_number"] for row in table} == {"A0", "A1", "A2"}
    for row in table:
        findings = json.loads((tmp_path / "results" / row["results"] / "findings.json").read_text())
        assert findings["source"]["series_instance_uid"] == row["series_instance_uid"]
    assert list((tmp_path / "results" / "work" / "images" / "series").rglob("*.dcm")) == []


def test_nothing_names_the_patient(make_config, run_fetch, holdings, tmp_path, monkeypatch, caplog):
    query_archive = holdings.archive
    monkeypatch.setattr(transfer, "PATIENCE", BackoffPolicy(most_attempts=1))
    holdings.add(10, AccessionNumber="SECRETACC")
    query_archive.broken = {query_archive.instances[3].SOPInstanceUID}
    holdings.add(10, AccessionNumber="SECRETACC")
    options = ("--accession=SECRETACC", "--accession=SECRETNONE", "--out", "results")
    with caplog.at_level("DEBUG"):
        code, out, err = run_fetch(make_config(), *options)
    assert code == 4
    assert "accession number 2 of 2: the archive has no such study" in err
    assert "9 of 10 images arrived: pacs could not send 1 images" in err
    names = "".join(path.name for path in tmp_path.rglob("*"))
    ours = "".join(r.getMessage() for r in caplog.records if r.name.startswith(("node", "service")))
    for secret in ("SECRET", "HIS-4711", "Secret"):
        assert secret not in out + err + names + ours


def test_by_move_what_was_not_asked_for_is_not_taken(
    make_config, run_fetch, holdings, query_archive, make_slice
):
    """A scanner that sends to the node's address meanwhile keeps its image (0xA700)."""
    asked = holdings.add(10, AccessionNumber="A1")
    stray = make_slice("1.2.3", "1.2.3.4", 1)
    sent = []

    def scanner(event):
        del event
        host, port = query_archive.destinations["SPINENODE"]
        ae = AE("CT1")
        ae.add_requested_context(CTImageStorage)
        association = ae.associate(host, port, ae_title="SPINENODE")
        sent.append(association.send_c_store(stray).Status)
        association.release()

    query_archive.before_retrieval = scanner
    code, out, err = run_fetch(make_config("move"), "--accession=A1", "--out", "r", "--json")
    assert sent == [0xA700], err
    report = json.loads(out)
    assert [each["series_instance_uid"] for each in report["series"]] == [asked[1]]
    assert [each["images"] for each in report["series"]] == [10]
    assert code == 3


def test_where_a_node_listens_move_says_what_to_do(make_config, run_fetch, holdings):
    holdings.add(10, AccessionNumber="A1")
    config = make_config("move")
    port = yaml.safe_load(config.read_text())["node"]["port"]
    with socket.create_server(("127.0.0.1", port)):
        code, _, err = run_fetch(config, "--accession=A1", "--out", "r")
    assert code == 2
    assert "C-MOVE sends to SPINENODE" in err
    assert "fetch into it (without --out)" in err


def test_an_archive_that_is_away_is_exit_code_4(make_config, run_fetch, query_archive):
    config = make_config()
    query_archive.stop()
    code, out, err = run_fetch(config, "--accession=A1", "--out", "r")
    assert (code, out) == (4, "")
    assert err.startswith("spinenode: pacs (127.0.0.1:")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "nothing asked for"),
        (("--accession=A1", "--source=other"), "no source 'other'"),
        (("--accession=A1", "--group=benign"), "--group belongs to --out"),
        (("--accession=A1", "--modality=MR"), "--modality MR is not in rules.modalities"),
        (("--accession=A1", "--hours=19-6"), "--hours '19-6'"),
        (("--accession=A1", "--out=r", "--again"), "--again belongs to the running node"),
        (("--accession=A1",), "start it with 'spinenode serve'"),
    ],
)
def test_what_cannot_be_done_is_exit_code_2(make_config, run_fetch, options, said):
    code, out, err = run_fetch(make_config(), *options)
    assert (code, out) == (2, "")
    assert said in err
