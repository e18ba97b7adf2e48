"""The road of one series, step by step.

::

    assemble   files            -> CTVolume (geometry gate)
    segment    CTVolume         -> Segmentation
    measure    + Segmentation   -> SpineReport (heights, fractures)
    texture    + SpineReport    -> TextureReport (features, density)
    write      everything       -> the files of the contract
    verify     the files        -> re-read and compared with what they were written from

Each step reads what the steps before it kept in the `Workspace` and keeps its own result there;
any step can be run again after a crash. "Not analysable, because ..." is a result: it ends the
measuring and is written like any other.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from functools import cached_property
from pathlib import Path

import numpy as np

import texture
from inference import CTVolume, NotAnalysable, Notice, Segmentation, SpineReport
from inference.analysis import measure_segmentation, segmentation_from_labels
from inference.loading import load_dicom, load_files
from inference.nifti import load_labels, load_nifti
from service.steps import STEPS
from service.toolbox import SOFTWARE, Toolbox
from service.workspace import Workspace
from sr_writer import (
    Findings,
    WrittenObject,
    assemble,
    not_analysable,
    verify_outputs,
    write_not_analysable,
    write_outputs,
)

Progress = Callable[[str, float], None]

_TIMING_NAMES = {"assemble": "load"}


class Analysis:
    """One series on its way through the steps."""

    def __init__(
        self, workspace: Workspace, toolbox: Toolbox, progress: Progress | None = None
    ) -> None:
        self.workspace = workspace
        self.toolbox = toolbox
        self._progress = progress or (lambda step, fraction: None)

    def run_all(self) -> tuple[Notice, ...]:
        """Run every step; return the reasons if the series is not analysable."""
        for step in STEPS:
            self.run(step)
        return self.workspace.reasons()

    def run(self, step: str) -> None:
        """Run one step, unless an earlier one found the series not analysable."""
        if step in ("assemble", "segment", "measure", "texture") and self.workspace.reasons():
            return
        started = time.monotonic()
        self._progress(step, 0.0)
        try:
            getattr(self, f"_{step}")()
        except NotAnalysable as error:
            self.workspace.put_reasons((Notice(error.code, error.text),))
        self.workspace.put_timing(
            _TIMING_NAMES.get(step, step), round(time.monotonic() - started, 3)
        )
        self._progress(step, 1.0)

    @cached_property
    def volume(self) -> CTVolume:
        """The CT, read again after a restart."""
        return read_volume(self.workspace.request().files)

    @cached_property
    def segmentation(self) -> Segmentation:
        """The masks, read again after a restart."""
        return self.workspace.segmentation()

    @cached_property
    def report(self) -> SpineReport:
        """The measurements, read again after a restart."""
        return self.workspace.report(self.segmentation)

    def _assemble(self) -> None:
        _ = self.volume

    def _segment(self) -> None:
        mask = self.workspace.request().mask
        if mask is None:
            segmentation = self.toolbox.segmenter.segment(
                self.volume, progress=lambda fraction: self._progress("segment", fraction)
            )
        else:
            segmentation = segmentation_from_labels(self.volume, load_labels(mask, self.volume))
        self.workspace.put_segmentation(segmentation)
        self.__dict__["segmentation"] = segmentation

    def _measure(self) -> None:
        report = measure_segmentation(self.volume, self.segmentation)
        self.workspace.put_report(report)
        self.__dict__["report"] = report

    def _texture(self) -> None:
        result = texture.extract(
            self.volume, self.segmentation, self.report.vertebrae, settings=self.toolbox.preset
        )
        self.workspace.put_texture(result)

    def _write(self) -> None:
        self.workspace.replace_results(self._write_into)

    def _write_into(self, folder: Path) -> None:
        settings = self._settings()
        reasons = self.workspace.reasons()
        if reasons:
            write_not_analysable(
                self.findings(), self._any_source_file(), out=folder, settings=settings
            )
            return
        write_outputs(self.findings(), self.volume, self.segmentation, folder, settings)

    def _verify(self) -> None:
        if self.workspace.reasons():
            return
        verify_outputs(self.written(), self.findings(), self.volume, self.segmentation)
