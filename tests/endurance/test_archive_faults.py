"""An archive that is away, full, forgetful or cut off: nothing lost, and somebody can see it.

The service runs with its pauses divided by `SPEED`, so that ten minutes of an archive's absence
with their backoff pass in ten seconds; queue, spool, network and analysis are the real ones.
"""

from __future__ import annotations

import json
import time

import pydicom
import pytest
from waiting import free_port, hold_for, wait_for

from node import SENT_SOP_CLASSES, send_files
from rig.aftermath import all_delivered, assess
from rig.archive import RememberingArchive
from rig.cutting_proxy import CuttingProxy
from rig.senders import Sender
from rig.service_process import Installation
from rig.small_series import copy_series, spine, too_short

SPEED = 60
TEN_MINUTES = 600 / SPEED
LONGEST_PAUSE = 900 / SPEED
OTHERS = 3
SEGMENTATION_STORAGE = "1.2.840.10008.5.1.4.1.1.66.4"
ENDED = ("analysed", "not_analysable")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def series(tmp_path_factory):
    folder = tmp_path_factory.mktemp("series")
    base = spine(folder / "base")
    short = [too_short(folder / f"other{n}", f"other{n}") for n in range(OTHERS)]
    return [copy_series(base, folder / "spine", "spine"), *short]


class Scene:
    """A service in a hurry, and one sender that has brought its series."""

    def __init__(self, folder, archive_port, series):
        self.installation = Installation(folder, archive_port)
        self.installation.program = ("rig.hurried_service", str(SPEED))
        self.service = self.installation.process("serve")
        self.series = series
        self.sender = Sender(series, self.installation.node)

    def __enter__(self):
        self.service.start()
        self.sender.run()
        assert len(self.sender.acknowledged) == sum(map(len, self.series))
        wait_for(self.all_analysed, "every analysis")
        return self

    def __exit__(self, *_):
        self.service.kill()

    def all_analysed(self):
        jobs = self.installation.jobs()
        return len(jobs) == len(self.series) and all(job.state in ENDED for job in jobs)

    def deliveries(self):
        return [each for job in self.installation.jobs() for each in job.deliveries]

    def assess(self, archive):
        return assess(self.installation, archive, [self.sender], self.series)

    def heals(self, archive, seconds=2 * LONGEST_PAUSE):
        """How long until everything has arrived; each result once."""
        started = time.monotonic()
        wait_for(lambda: all_delivered(self.installation, self.series), "every result", seconds)
        aftermath = self.assess(archive)
        assert self.installation.metric("spinenode_problem") == 0
        assert aftermath.missing_in_spool == 0
        print(f"\n  healed, then {time.monotonic() - started:.0f} s; {aftermath}")
        return aftermath

    def written(self):
        return {
            each["SOPInstanceUID"]
            for job in self.installation.jobs()
            for each in json.loads(
                (self.installation.jobs_folder / job.id / "written.json").read_text()
            )
        }

    def is_seen(self, problem):
        """The problem stands in the queue, on the job's page and in the metrics."""
        waiting = [each for each in self.deliveries() if each.state == "retrying"]
        assert waiting, self.deliveries()
        assert any(problem in (each.problem or "") for each in waiting), waiting
        installation = self.installation
        job = next(job for job in installation.jobs() if job.deliveries)
        assert problem in installation.get(f"/jobs/{job.id}")[1]
        assert problem in installation.get("/")[1]
        assert problem in installation.get("/health/ready")[1]
        assert installation.reasons() == {}, "the node itself can receive and analyse"
        queued = 'spinenode_delivery_objects{destination="pacs",state="queued"}'
        assert installation.metric(queued) > 0
        assert installation.metric('spinenode_problem{component="delivery to pacs"}') == 1


def test_an_archive_is_down_for_ten_minutes(series, tmp_path):
    port = free_port()
    with Scene(tmp_path, port, series) as scene:
        wait_for(lambda: any(d.attempts for d in scene.deliveries()), "a first attempt")
        hold_for(TEN_MINUTES, scene.service.is_alive, "the service")
        scene.is_seen("cannot be reached")
        attempts = max(each.attempts for each in scene.deliveries())
        assert 4 <= attempts <= 12, "as often in ten minutes as backoff allows"
        with RememberingArchive(port) as archive:
            assert scene.heals(archive).sent_again == 0
        assert scene.installation.metric("spinenode_deliveries_total") > 0


def test_an_archive_is_full_for_a_while(series, tmp_path):
    with RememberingArchive() as archive:
        archive.status_for = lambda _: 0xA700
        with Scene(tmp_path, archive.port, series) as scene:
            wait_for(lambda: min((d.attempts for d in scene.deliveries()), default=0) > 1, "tries")
            scene.is_seen("0xA700")
            assert not archive.stores
            archive.status_for = lambda _: 0x0000
            assert scene.heals(archive).sent_again == 0


def test_a_warning_of_the_archive_is_an_arrival(series, tmp_path):
    """0xB000 (coercion of data elements): stored, so never sent again."""
    with RememberingArchive() as archive:
        archive.status_for = lambda _: 0xB000
        with Scene(tmp_path, archive.port, series) as scene:
            assert scene.heals(archive).sent_again == 0
            assert scene.installation.metric(
                'spinenode_deliveries_total{destination="pacs",outcome="warning"}'
            ) == len(archive.stores)


def test_connections_to_the_archive_are_cut_inside_objects(series, tmp_path):
    with RememberingArchive() as archive, CuttingProxy(archive.port) as network:
        network.cut_after = 20_000
        with Scene(tmp_path, network.port, series) as scene:
            wait_for(lambda: network.cuts > 4, "cuts")
            assert any(each.state == "retrying" for each in scene.deliveries())
            network.cut_after = None
            aftermath = scene.heals(archive)
            # An object whose answer was cut off is sent a second time.
            assert aftermath.sent_again <= network.cuts


def test_an_archive_that_refuses_segmentations_gets_all_else(series, tmp_path):
    others = set(SENT_SOP_CLASSES) - {SEGMENTATION_STORAGE}
    with (
        RememberingArchive(sop_classes=others) as archive,
        Scene(tmp_path, archive.port, series) as scene,
    ):
        wait_for(lambda: all_delivered(scene.installation, series), "what the archive takes")
        (job,) = [job for job in scene.installation.jobs() if job.state == "analysed"]
        results = scene.installation.jobs_folder / job.id / "results"
        mask = str(pydicom.dcmread(results / "vertebrae.seg.dcm").SOPInstanceUID)
        assert set(archive.stores) == scene.written() - {mask}
        refused = 'spinenode_deliveries_total{destination="pacs",outcome="refused"}'
        assert scene.installation.metric(refused) > 0
        replaced = 'spinenode_fallbacks_total{destination="pacs"'
        assert scene.installation.metric(replaced) == 1


def test_connections_of_a_sender_are_cut_inside_objects(series, tmp_path):
    with RememberingArchive() as archive:
        installation = Installation(tmp_path, archive.port)
        with (
            installation.process("serve"),
            CuttingProxy(installation.port) as network,
        ):
            sender = Sender(series, installation.through(network.port))
            network.cut_after = 40_000
            sender.start()
            wait_for(lambda: network.cuts > 5, "cuts")
            assert not list((installation.spool / "images" / "series").rglob("*.part"))
            network.cut_after = None
            sender.join(120)
            wait_for(lambda: all_delivered(installation, series), "every result")
            aftermath = assess(installation, archive, [sender], series)
            print(f"\n  {network.cuts} cuts; {aftermath}")
            assert aftermath.acknowledged == sum(map(len, series))
            assert aftermath.missing_in_spool == 0
            assert not list((installation.spool / "images" / "incoming").iterdir())
            assert {each.outcome for each in send_files(series[1], installation.node)} == {"sent"}
