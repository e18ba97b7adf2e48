"""From a complete series to a job, or to the logged reason why there is none."""

from __future__ import annotations

import hashlib
import logging
from datetime import UTC, datetime
from pathlib import Path

import pydicom
from pydicom.errors import InvalidDicomError

from node import ReceivedSeries
from service.config import Config, RulesConfig
from service.layout import jobs_folder
from service.queue import JobQueue
from service.request import Request
from service.toolbox import Toolbox
from service.workspace import Workspace

log = logging.getLogger(__name__)

_JOB_ID_LENGTH = 16
_RULE_ELEMENTS = ["SeriesDescription", "SliceThickness"]


class Intake:
    """Turns complete series into jobs; submitting the same instances again changes nothing."""

    def __init__(self, toolbox: Toolbox, queue: JobQueue) -> None:
        self._toolbox = toolbox
        self._queue = queue
        self._rules = toolbox.config.rules

    def follow(self, config: Config) -> None:
        """Decide by the rules of this configuration from now on."""
        self._rules = config.rules

    def series_complete(self, series: ReceivedSeries) -> None:
        """Queue a series, unless the rules leave it out."""
        config = self._toolbox.config
        facts = {
            "series": series.SeriesInstanceUID,
            "images": len(series.files),
            "complete_by": series.reason,
        }
        left_out = reason_to_leave_out(series, self._rules)
        if left_out:
            log.info("series left out", extra={**facts, "reason": left_out})
            return
        job_id = self._job_id(series)
        workspace = Workspace(jobs_folder(config) / job_id)
        if not workspace.has_request():
            workspace.put_request(
                Request(
                    job_id=job_id,
                    files=tuple(file.path.absolute() for file in series.files),
                    created=datetime.now(UTC).isoformat(timespec="seconds"),
                    StudyInstanceUID=series.StudyInstanceUID,
                    SeriesInstanceUID=series.SeriesInstanceUID,
                )
            )
        self._queue.submit(job_id)
        log.info("series queued", extra={**facts, "job": job_id})

    def _job_id(self, series: ReceivedSeries) -> str:
        identity = "\n".join(
            (
                series.SeriesInstanceUID,
                series.instance_set_digest,
                self._toolbox.configuration_digest,
            )
        )
        return hashlib.sha256(identity.encode()).hexdigest()[:_JOB_ID_LENGTH]


def reason_to_leave_out(series: ReceivedSeries, rules: RulesConfig) -> str:
    """Say why the rules leave a series out; empty when they do not."""
    if len(series.files) < rules.min_instances and not _is_multiframe(series.files[0].path):
        return f"{len(series.files)} images, rules.min_instances is {rules.min_instances}"
    header = _header(series.files[0].path)
    description = str(header.get("SeriesDescription", "")).casefold()
    for fragment in rules.exclude_description:
        if fragment.casefold() in description:
            return f"rules.exclude_description {fragment!r}"
    if rules.include_description and not any(
        fragment.casefold() in description for fragment in rules.include_description
    ):
        return "no fragment of rules.include_description in the description"
    thickness = header.get("SliceThickness")
    limit = rules.max_slice_thickness_mm
    if limit is not None and thickness is not None and float(thickness) > limit:
        return f"SliceThickness {float(thickness):g} mm, rules.max_slice_thickness_mm is {limit:g}"
    return ""


def _is_multiframe(path: Path) -> bool:
    return "NumberOfFrames" in _header(path)


def _header(path: Path) -> pydicom.Dataset:
    try:
        return pydicom.dcmread(
            path,
            stop_before_pixels=True,
            specific_tags=[*_RULE_ELEMENTS, "NumberOfFrames"],
        )
    except (InvalidDicomError, OSError, ValueError):
        # The geometry gate reads the file again and says what is wrong with it.
        return pydicom.Dataset()
