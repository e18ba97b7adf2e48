"""What one analysis keeps on disk between its steps.

Every file appears whole or not at all (temporary name, fsync, rename), so that a step killed in
the middle is simply run again. Nothing here is named after a patient.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
from pydantic import TypeAdapter

from inference import (
    LabelledVertebra,
    ModelIdentity,
    Notice,
    Segmentation,
    SpineReport,
    VertebraMeasurement,
)
from service.notes import SUPERSEDED, WITHHELD, delivery_note_file, put_note, read_note
from service.request import REQUEST_FILE, Request, encode_request, read_request, write_whole
from sr_writer import Findings, WrittenObject
from texture.report import TextureReport


@dataclass(frozen=True)
class _SegmentationFacts:
    vertebrae: tuple[LabelledVertebra, ...]
    model: ModelIdentity
    warnings: tuple[Notice, ...]


@dataclass(frozen=True)
class _MeasuredFacts:
    vertebrae: tuple[VertebraMeasurement, ...]
    warnings: tuple[Notice, ...]


_SEGMENTATION = TypeAdapter(_SegmentationFacts)
_MEASURED = TypeAdapter(_MeasuredFacts)
_TEXTURE = TypeAdapter(TextureReport)
_NOTICES = TypeAdapter(tuple[Notice, ...])
_WRITTEN = TypeAdapter(tuple[WrittenObject, ...])
_TIMINGS = TypeAdapter(dict[str, float])


class Workspace:
    """The folder of one analysis.

    Parameters
    ----------
    folder
        Created if absent.
    results
        Where the files of the contract go; ``folder/results`` unless given.
    """

    def __init__(self, folder: Path, results: Path | None = None) -> None:
        self.folder = folder
        self.results = results or folder / "results"
        folder.mkdir(parents=True, exist_ok=True)

    def put_request(self, request: Request) -> None:
        """Keep the request."""
        write_whole(
            self.folder / REQUEST_FILE, lambda stream: stream.write(encode_request(request))
        )

    def has_request(self) -> bool:
        """Whether a request is kept."""
        return (self.folder / REQUEST_FILE).is_file()

    def request(self) -> Request:
        """Return the request kept before."""
        return read_request(self.folder)

    def put_segmentation(self, segmentation: Segmentation) -> None:
        """Keep masks (compressed arrays) and what was said about them."""

        def write(stream: BinaryIO) -> None:
            np.savez_compressed(stream, labels=segmentation.labels, bodies=segmentation.bodies)

        write_whole(self.folder / "masks.npz", write)
        facts = _SegmentationFacts(
            segmentation.vertebrae, segmentation.model, segmentation.warnings
        )
        self._put("segmentation.json", _SEGMENTATION.dump_json(facts))

    def segmentation(self) -> Segmentation:
        """Return the masks kept before."""
        facts = _SEGMENTATION.validate_json((self.folder / "segmentation.json").read_bytes())
        with np.load(self.folder / "masks.npz", allow_pickle=False) as masks:
            return Segmentation(
                labels=masks["labels"],
                bodies=masks["bodies"],
                vertebrae=facts.vertebrae,
                model=facts.model,
                warnings=facts.warnings,
            )

    def put_report(self, report: SpineReport) -> None:
        """Keep the measurements; the masks are kept by `put_segmentation`."""
        self._put(
            "measured.json",
            _MEASURED.dump_json(_MeasuredFacts(report.vertebrae, report.warnings)),
        )

    def report(self, segmentation: Segmentation) -> SpineReport:
        """Return the measurements kept before, joined with their masks."""
        facts = _MEASURED.validate_json((self.folder / "measured.json").read_bytes())
        return SpineReport(segmentation, facts.vertebrae, facts.warnings)

    def put_texture(self, texture: TextureReport) -> None:
        """Keep texture and density."""
        self._put("texture.json", _TEXTURE.dump_json(texture))

    def texture(self) -> TextureReport:
        """Return texture and density kept before."""
        return _TEXTURE.validate_json((self.folder / "texture.json").read_bytes())

    def put_reasons(self, reasons: tuple[Notice, ...]) -> None:
        """Keep why the series is not analysable."""
        self._put("reasons.json", _NOTICES.dump_json(reasons))

    def reasons(self) -> tuple[Notice, ...]:
        """Why the series is not analysable; empty if it is."""
        path = self.folder / "reasons.json"
        return _NOTICES.validate_json(path.read_bytes()) if path.is_file() else ()

    def put_written(self, written: tuple[WrittenObject, ...]) -> None:
        """Keep which DICOM objects were written."""
        self._put("written.json", _WRITTEN.dump_json(written))

    def written(self) -> tuple[WrittenObject, ...]:
        """Return the DICOM objects written, with paths in the present results folder."""
        kept = _WRITTEN.validate_json((self.folder / "written.json").read_bytes())
        return tuple(replace(entry, path=self.results / entry.path.name) for entry in kept)

    def findings(self) -> Findings:
        """Return what the result files say."""
        return Findings.from_json(json.loads((self.results / "findings.json").read_bytes()))

    def put_timing(self, step: str, seconds: float) -> None:
        """Keep how long a step took."""
        self._put("timings.json", _TIMINGS.dump_json({**self.timings(), step: seconds}))

    def timings(self) -> dict[str, float]:
        """Seconds by step, of the steps done so far."""
        path = self.folder / "timings.json"
        return _TIMINGS.validate_json(path.read_bytes()) if path.is_file() else {}

    def replace_results(self, write: Callable[[Path], None]) -> None:
        """Let `write` fill an empty folder, then make it the results in one rename."""
        fresh = self.folder / "results.new"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        write(fresh)
        shutil.rmtree(self.results, ignore_errors=True)
        fresh.rename(self.results)

    def put_superseded(self, job_id: str) -> None:
        """Note which later job of the same series replaces this one."""
        put_note(self.folder, SUPERSEDED, job_id)

    def superseded_by(self) -> str:
        """The later job that replaces this one, or an empty text."""
        return read_note(self.folder, SUPERSEDED)

    def put_withheld(self, reason: str) -> None:
        """Note why the results are kept here and not sent."""
        put_note(self.folder, WITHHELD, reason)

    def withheld(self) -> str:
        """Why the results are not sent, or an empty text."""
        return read_note(self.folder, WITHHELD)

    def put_delivery_note(self, destination: str, note: str) -> None:
        """Note what is to be said about the delivery to one destination."""
        put_note(self.folder, delivery_note_file(destination), note)

    def delivery_note(self, destination: str) -> str:
        """What is to be said about the delivery to one destination, or an empty text."""
        return read_note(self.folder, delivery_note_file(destination))

    def drop_masks(self) -> None:
        """Free the disk of what only the steps before `send` need."""
        (self.folder / "masks.npz").unlink(missing_ok=True)

    def _put(self, name: str, content: bytes) -> None:
        write_whole(self.folder / name, lambda stream: stream.write(content))
