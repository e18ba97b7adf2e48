"""Receiving and sending over real associations on loopback."""

from __future__ import annotations

import queue
import time

import pytest
from pydicom import dcmread
from pydicom.uid import generate_uid

from node import (
    CT_TRANSFER_SYNTAXES,
    RECEIVED_SOP_CLASSES,
    Destination,
    LoopbackArchive,
    Outcome,
    Peer,
    Permanent,
    Retryable,
    echo,
    send_files,
)
from node.part10 import identify

SEG = "1.2.840.10008.5.1.4.1.1.66.4"


def test_a_series_arrives_whole_and_byte_for_byte(start_node, tmp_path, write_series):
    """What was sent is handed over once, each file's data set unchanged."""
    paths = write_series(tmp_path / "in", 6)
    node = start_node()
    results = send_files(paths, node.destination)
    assert [each.outcome for each in results] == [Outcome.SENT] * 6
    series = node.completed.get(timeout=10)
    assert len(series.files) == 6
    assert series.reason == "associations_closed"
    assert series.calling_ae_title == "SPINENODE"
    sent = {dcmread(path).SOPInstanceUID: _data_set(path) for path in paths}
    assert {each.SOPInstanceUID: _data_set(each.path) for each in series.files} == sent
    assert node.completed.empty()


def _data_set(path):
    return path.read_bytes()[identify(path).data_set_offset :]


def test_file_names_hold_no_identifier(start_node, tmp_path, write_series):
    paths = write_series(tmp_path / "in", 2)
    node = start_node()
    send_files(paths, node.destination)
    node.completed.get(timeout=10)
    names = "\n".join(str(p) for p in node.spool.root.rglob("*"))
    header = dcmread(paths[0])
    assert header.SOPInstanceUID not in names
    assert header.SeriesInstanceUID not in names
    assert "SYNTHETIC" not in names


@pytest.mark.parametrize("transfer_syntax", CT_TRANSFER_SYNTAXES, ids=lambda uid: uid.name)
def test_every_claimed_transfer_syntax_is_received_for_every_class(
    start_node, tmp_path, transfer_syntax, write_series
):
    paths = []
    for number, sop_class in enumerate(RECEIVED_SOP_CLASSES):
        paths += write_series(
            tmp_path / f"in{number}", 1, sop_class_uid=sop_class, transfer_syntax=transfer_syntax
        )
    node = start_node()
    results = send_files(paths, node.destination)
    assert {each.outcome for each in results} == {Outcome.SENT}
    stored = [node.completed.get(timeout=10).files[0].path for _ in paths]
    assert {_data_set(path) for path in stored} == {_data_set(path) for path in paths}


def test_our_own_results_are_refused_at_negotiation(start_node, tmp_path, write_series):
    """A SEG coming back is neither stored nor analysed, and CT beside it still is."""
    seg = write_series(tmp_path / "seg", 1, sop_class_uid=SEG)
    ct = write_series(tmp_path / "ct", 1)
    node = start_node()
    outcomes = [each.outcome for each in send_files(seg + ct, node.destination)]
    assert outcomes == [Outcome.REFUSED, Outcome.SENT]
    assert [each.outcome for each in send_files(seg, node.destination)] == [Outcome.REFUSED]
    assert len(node.completed.get(timeout=10).files) == 1
    assert node.spool.index.counts() == (1, 1)


def test_a_resend_changes_nothing(start_node, tmp_path, write_series):
    paths = write_series(tmp_path / "in", 3)
    node = start_node()
    send_files(paths, node.destination)
    node.completed.get(timeout=10)
    send_files(paths, node.destination)
    with pytest.raises(queue.Empty):
        node.completed.get(timeout=1.0)
    assert node.spool.index.counts() == (1, 3)


def test_a_late_instance_opens_the_series_again(start_node, tmp_path, write_series):
    paths = write_series(tmp_path / "in", 3)
    node = start_node()
    send_files(paths[:2], node.destination)
    first = node.completed.get(timeout=10)
    send_files(paths[2:], node.destination)
    second = node.completed.get(timeout=10)
    assert (len(first.files), len(second.files)) == (2, 3)
    assert first.instance_set_digest != second.instance_set_digest


def test_changed_content_is_kept_beside_and_handed_over_again(start_node, tmp_path, make_instance):
    study, series, sop = generate_uid(), generate_uid(), generate_uid()
    node = start_node()
    handed = []
    for seed in (1, 2):
        path = tmp_path / f"{seed}.dcm"
        make_instance(study, series, pixel_seed=seed, sop_instance_uid=sop).save_as(
            path, enforce_file_format=True
        )
        send_files([path], node.destination)
        handed.append(node.completed.get(timeout=10))
        assert _data_set(handed[-1].files[0].path) == _data_set(path)
    assert handed[0].files[0].path.exists()
    assert len(handed[1].files) == 1
    assert node.spool.index.counts() == (1, 2)


def test_echo_and_wrong_titles(start_node):
    node = start_node(peers=(Peer("SCANNER", "127.0.0.1"), Peer("ELSEWHERE", "192.0.2.7")))
    port = node.server.port
    echo(Destination("n", "SPINENODE", "127.0.0.1", port, calling_ae_title="SCANNER"))
    for called, calling in (
        ("SPINENODE", "STRANGER"),
        ("SPINENODE", "ELSEWHERE"),
        ("X", "SCANNER"),
    ):
        with pytest.raises(Permanent, match="rejected"):
            echo(Destination("n", called, "127.0.0.1", port, calling_ae_title=calling))


def test_nobody_listening_is_retryable(tmp_path, write_series):
    paths = write_series(tmp_path / "in", 1)
    with LoopbackArchive(tmp_path / "archive") as archive:
        port = archive.port
    with pytest.raises(Retryable):
        send_files(paths, Destination("gone", "ARCHIVE", "127.0.0.1", port))


def test_archive_counts_each_instance(tmp_path, write_series):
    paths = write_series(tmp_path / "in", 2) + write_series(tmp_path / "s", 1, sop_class_uid=SEG)
    with LoopbackArchive(tmp_path / "archive") as archive:
        destination = Destination("archive", "ARCHIVE", "127.0.0.1", archive.port)
        echo(destination)
        send_files(paths, destination)
        send_files(paths[:1], destination)
        assert sorted(archive.stores.values()) == [1, 1, 2]
        for uid in archive.stores:
            assert dcmread(archive.path_of(uid)).SOPInstanceUID == uid


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(0xA700, Outcome.FAILED), (0xB000, Outcome.WARNING), (0xC000, Outcome.REFUSED)],
)
def test_status_of_the_archive_decides_the_outcome(tmp_path, status, outcome, write_series):
    paths = write_series(tmp_path / "in", 1)
    with LoopbackArchive(tmp_path / "a", status_for=lambda _: status) as archive:
        (result,) = send_files(paths, Destination("a", "ARCHIVE", "127.0.0.1", archive.port))
    assert (result.outcome, result.status) == (outcome, status)


def test_an_unreadable_file_is_reported_and_the_rest_is_sent(tmp_path, write_series):
    paths = write_series(tmp_path / "in", 2)
    paths[0].write_text("not DICOM")
    with LoopbackArchive(tmp_path / "a") as archive:
        results = send_files(paths, Destination("a", "ARCHIVE", "127.0.0.1", archive.port))
    assert [each.outcome for each in results] == [Outcome.REFUSED, Outcome.SENT]


def test_status_follows_associations_and_series(start_node, tmp_path, write_series, wait_until):
    node = start_node()
    assert node.server.status().listening
    send_files(write_series(tmp_path / "in", 1), node.destination)
    wait_until(lambda: node.server.status().open_associations == 0)
    node.completed.get(timeout=10)
    wait_until(lambda: node.server.status().open_series == 0)
    node.server.stop()
    assert not node.server.status().listening


def test_a_peer_that_vanishes_between_two_instances_is_noticed_at_once(tmp_path, write_series):
    """The rest fails with no answer right away instead of after the response timeout."""
    paths = write_series(tmp_path / "in", 6)
    with LoopbackArchive(tmp_path / "archive") as archive:

        class Closer:
            def instance_delivered(self, result, destination):  # noqa: ARG002 (protocol)
                for association in archive._ae.active_associations:
                    association.dul.socket.socket.close()

        started = time.monotonic()
        destination = Destination("a", "ARCHIVE", "127.0.0.1", archive.port)
        outcomes = [each.outcome for each in send_files(paths, destination, Closer())]
    assert outcomes == [Outcome.SENT] + [Outcome.FAILED] * 5
    assert time.monotonic() - started < 30
