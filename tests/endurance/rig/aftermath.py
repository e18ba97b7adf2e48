"""What has to be true after everything: nothing acknowledged is missing, nothing sent differs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pydicom

from rig.archive import RememberingArchive
from rig.senders import Sender, data_set_sha256
from rig.service_process import Installation

ENDED = ("analysed", "not_analysable")


@dataclass(frozen=True)
class Aftermath:
    """Counts of one sweep; `sent_again` are stores of an object the archive had already."""

    acknowledged: int
    missing_in_spool: int
    series: int
    states: dict[str, int]
    superseded_jobs: int
    results: int
    sent_again: int

    def __str__(self) -> str:
        return (
            f"{self.acknowledged} instances acknowledged, {self.missing_in_spool} missing in the"
            f" spool; {self.series} series: {self.states}, {self.superseded_jobs} earlier jobs on"
            f" parts of a series; {self.results} results in the archive, {self.sent_again} stored"
            " a second time with the same bytes"
        )


def all_delivered(installation: Installation, series: Sequence[Sequence[Path]]) -> bool:
    """Whether a job on the whole of each series ended, and every delivery arrived."""
    jobs = installation.jobs()
    failed = [f"{job.id}: {job.problem}" for job in jobs if job.state == "failed"]
    assert not failed, failed
    whole = {(job.SeriesInstanceUID, job.instances) for job in jobs if job.state in ENDED}
    wanted = {(_series_uid(files), len(files)) for files in series}
    arrived = all(
        job.deliveries and all(each.state == "delivered" for each in job.deliveries) for job in jobs
    )
    return arrived and wanted <= whole


def assess(
    installation: Installation,
    archive: RememberingArchive,
    senders: Sequence[Sender],
    series: Sequence[Sequence[Path]],
) -> Aftermath:
    """Compare what was acknowledged with the spool, and the queue with the archive."""
    spooled = Counter(
        data_set_sha256(path) for path in (installation.spool / "images" / "series").rglob("*.dcm")
    )
    acknowledged = [path for sender in senders for path in sender.acknowledged]
    missing = [path for path in acknowledged if spooled[data_set_sha256(path)] != 1]
    jobs = installation.jobs()
    latest = {job.SeriesInstanceUID: job for job in reversed(jobs)}
    written = {uid for job in jobs for uid in _written(installation.jobs_folder / job.id)}
    stores = dict(archive.stores)
    assert set(stores) == written, "the archive holds exactly the objects that jobs wrote"
    different = [uid for uid, digests in stores.items() if len(set(digests)) != 1]
    assert not different, "an object sent again is the same, byte for byte"
    assert {_series_uid(files) for files in series} == set(latest)
    return Aftermath(
        acknowledged=len(acknowledged),
        missing_in_spool=len(missing),
        series=len(series),
        states=dict(Counter(latest[_series_uid(files)].state for files in series)),
        superseded_jobs=len(jobs) - len(latest),
        results=len(written),
        sent_again=sum(len(digests) - 1 for digests in stores.values()),
    )


def _written(job_folder: Path) -> list[str]:
    kept = json.loads((job_folder / "written.json").read_text())
    return [entry["SOPInstanceUID"] for entry in kept]


def _series_uid(files: Sequence[Path]) -> str:
    return str(pydicom.dcmread(files[0], specific_tags=["SeriesInstanceUID"]).SeriesInstanceUID)
