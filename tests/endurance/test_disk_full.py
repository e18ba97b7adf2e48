"""A spool on a small tmpfs that fills up: below the watermark, and to the last byte."""

from __future__ import annotations

import random
import threading

import pytest
from waiting import hold_for, wait_for

from rig.aftermath import all_delivered, assess
from rig.archive import RememberingArchive
from rig.senders import Sender
from rig.service_process import Installation
from rig.small_disk import MIB, SmallDisk
from rig.small_series import copy_series, spine, too_short

SEED = 20261122
DISK_MIB = 400
WATERMARK_MIB = 64
ROUNDS = 6
FULL_SECONDS = 3.0
MOMENTS = (0.4, 5.0)
"""Seconds within which the disk fills: while images arrive, or at any time of the analysis."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return spine(tmp_path_factory.mktemp("series") / "base")


def series_of_round(base, folder, number):
    return [
        copy_series(base, folder / f"spine{number}", f"spine{number}"),
        too_short(folder / f"other{number}", f"other{number}"),
    ]


def test_images_are_refused_below_the_watermark_and_taken_again_above_it(base, tmp_path):
    series = series_of_round(base, tmp_path / "series", 0)
    with RememberingArchive() as archive, SmallDisk(tmp_path / "disk", DISK_MIB) as disk:
        overrides = {"node": {"min_free_gib": WATERMARK_MIB / 1024}}
        installation = Installation(
            tmp_path, archive.port, overrides=overrides, spool=disk.folder / "spool"
        )
        with installation.process("serve"):
            disk.leave(WATERMARK_MIB * MIB // 2)
            sender = Sender(series, installation.node)
            sender.start()
            refused = 'spinenode_received_instances_total{outcome="refused"}'
            wait_for(lambda: installation.metric(refused) > 50, "refusals")
            assert sender.acknowledged == set()
            assert "below node.min_free_gib" in installation.reasons()["disk"]
            assert "below node.min_free_gib" in installation.get("/")[1]
            assert installation.metric('spinenode_problem{component="disk"}') == 1
            assert installation.metric("spinenode_spool_free_bytes") < WATERMARK_MIB * MIB
            disk.relieve()
            sender.join(60)
            wait_for(lambda: all_delivered(installation, series), "every result")
            aftermath = assess(installation, archive, [sender], series)
            print(f"\n  {installation.metric(refused):.0f} refused with 0xA700; {aftermath}")
            assert aftermath.missing_in_spool == 0
            assert aftermath.acknowledged == sum(map(len, series))
            assert installation.reasons() == {}


def test_a_disk_full_to_the_last_byte_only_delays(base, tmp_path):
    """It fills at random moments of receiving, analysing and sending; no watermark protects."""
    rng = random.Random(SEED)
    series = [
        each
        for number in range(ROUNDS)
        for each in series_of_round(base, tmp_path / "series", number)
    ]
    with RememberingArchive() as archive, SmallDisk(tmp_path / "disk", DISK_MIB) as disk:
        installation = Installation(tmp_path, archive.port, spool=disk.folder / "spool")
        with installation.process("serve") as service:
            turns = threading.Semaphore(0)
            sender = Sender(series, installation.node, turns)
            sender.start()
            told = 0
            for _ in range(ROUNDS):
                turns.release(2)
                hold_for(rng.random() * rng.choice(MOMENTS), service.is_alive, "the service")
                disk.leave(0)
                hold_for(FULL_SECONDS, service.is_alive, "the service")
                told += "disk" in installation.reasons()
                disk.relieve()
            sender.join(120)
            wait_for(lambda: all_delivered(installation, series), "every result")
            aftermath = assess(installation, archive, [sender], series)
            print(
                f"\n  full {ROUNDS} times for {FULL_SECONDS:.0f} s, {sender.repeats} sends"
                f" repeated; {aftermath}"
            )
            assert told == ROUNDS, "readiness names the disk each time"
            assert aftermath.missing_in_spool == 0
            assert aftermath.acknowledged == sum(map(len, series))
            assert installation.reasons() == {}
