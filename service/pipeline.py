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
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from pathlib import Path

from pydicom import dcmread
from pydicom.errors import InvalidDicomError

import texture
from inference import (
    CTVolume,
    NotAnalysable,
    Notice,
    Segmentation,
    SourceSeries,
    SpineReport,
    UnreadableInput,
)
from inference.analysis import (
    measure_segmentation,
    segmentation_from_labels,
    without_foreign_material,
)
from inference.limits import InputLimits
from inference.loading import load_dicom, load_files
from inference.nifti import load_labels, load_nifti
from service.request import Request
from service.steps import STEPS
from service.toolbox import SOFTWARE, Toolbox
from service.workspace import Workspace
from sr_writer import (
    Findings,
    PredecessorObject,
    assemble,
    not_analysable,
    verify_outputs,
    write_findings,
    write_not_analysable,
    write_outputs,
)

Progress = Callable[[str, float], None]
PredecessorOf = Callable[[Request], PredecessorObject | None]
"""The earlier report that the results of a request supersede."""
_TIMING_NAMES = {"assemble": "load"}
_IDENTITY = ("StudyInstanceUID", "SeriesInstanceUID", "SOPClassUID", "FrameOfReferenceUID")
_NIFTI_SUFFIXES = (".nii", ".nii.gz")


def silent(step: str, fraction: float) -> None:
    """Report no progress."""
    del step, fraction


def no_predecessor(request: Request) -> None:
    """Nothing is superseded."""
    del request


class Analysis:
    """One series on its way through the steps."""

    def __init__(
        self,
        workspace: Workspace,
        toolbox: Toolbox,
        progress: Progress = silent,
        predecessor_of: PredecessorOf = no_predecessor,
    ) -> None:
        self.workspace = workspace
        self.toolbox = toolbox
        self._progress = progress
        self._predecessor_of = predecessor_of

    def run_all(self) -> None:
        """Run every step."""
        for step in STEPS:
            self.run(step)

    def run(self, step: str) -> None:
        """Run one step; the measuring ones only while the series counts as analysable."""
        started = time.monotonic()
        self._progress(step, 0.0)
        _STEP_FUNCTIONS[step](self)
        name = _TIMING_NAMES.get(step, step)
        self.workspace.put_timing(name, round(time.monotonic() - started, 3))
        self._progress(step, 1.0)

    @cached_property
    def request(self) -> Request:
        """What was asked for."""
        return self.workspace.request()

    @cached_property
    def volume(self) -> CTVolume:
        """The CT, read again after a restart."""
        return read_volume(self.request.files, self.toolbox.input_limits)

    @cached_property
    def segmentation(self) -> Segmentation:
        """The masks, read again after a restart."""
        return self.workspace.segmentation()

    @cached_property
    def report(self) -> SpineReport:
        """The measurements with the masks as they are given out, read again after a restart."""
        return self.workspace.report(without_foreign_material(self.volume, self.segmentation))

    @cached_property
    def findings(self) -> Findings:
        """Everything to be said, rounded once."""
        reasons = self.workspace.reasons()
        if reasons:
            return not_analysable(self._known_source(), reasons, SOFTWARE)
        return assemble(self.volume, self.report, self.workspace.texture(), SOFTWARE)

    def _known_source(self) -> SourceSeries:
        """The series as far as it is known, also where no volume could be made of it."""
        if "volume" in self.__dict__:
            return self.volume.source
        return source_of_header(_first_file(self.request.files))

    def _measuring(self, step: Callable[[], None]) -> None:
        """Run a step that may find the series not analysable."""
        if self.workspace.reasons():
            return
        try:
            step()
        except NotAnalysable as error:
            self.workspace.put_reasons((Notice(error.code, error.text),))

    def _assemble(self) -> None:
        _ = self.volume

    def _segment(self) -> None:
        mask = self.request.mask
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
        self._require_levels(report)

    def _require_levels(self, report: SpineReport) -> None:
        """Hold the site to its own rule; what it does not want is not sent either."""
        levels = sum(vertebra.complete for vertebra in report.vertebrae)
        wanted = self.request.min_levels
        if levels < wanted:
            text = f"{levels} complete vertebrae, rules.min_levels is {wanted}"
            self.workspace.put_withheld(text)
            raise NotAnalysable("fewer_than_min_levels", text)

    def _texture(self) -> None:
        self.workspace.put_texture(
            texture.extract(
                self.volume,
                self.report.segmentation,
                self.report.vertebrae,
                settings=self.toolbox.texture_settings,
                calibration=self.toolbox.calibration_for(self.volume.source.acquisition),
                corrections=self.toolbox.corrections,
            )
        )

    def _write(self) -> None:
        settings = self.toolbox.writer_settings(
            datetime.fromisoformat(self.request.created), self._predecessor_of(self.request)
        )

        def write(folder: Path) -> None:
            if self.findings.status == "analysed":
                written = write_outputs(
                    self.findings, self.volume, self.report.segmentation, folder, settings
                )
            else:
                written = write_not_analysable(
                    self.findings, _first_file(self.request.files), folder, settings
                )
            self.workspace.put_written(written)

        self.workspace.replace_results(write)

    def _verify(self) -> None:
        written = self.workspace.written()
        if self.findings.status == "analysed":
            verify_outputs(written, self.findings, self.volume, self.report.segmentation)
        spent = self.workspace.timings()
        timings = {**spent, "total": round(sum(spent.values()), 3)}
        write_findings(replace(self.findings, timings_s=timings), written, self.workspace.results)


_STEP_FUNCTIONS: dict[str, Callable[[Analysis], None]] = {
    "assemble": lambda analysis: analysis._measuring(analysis._assemble),
    "segment": lambda analysis: analysis._measuring(analysis._segment),
    "measure": lambda analysis: analysis._measuring(analysis._measure),
    "texture": lambda analysis: analysis._measuring(analysis._texture),
    "write": Analysis._write,
    "verify": Analysis._verify,
}


def read_volume(files: tuple[Path, ...], limits: InputLimits) -> CTVolume:
    """Read a list of DICOM files, or the one folder or file that `analyze` was given.

    Raises
    ------
    UnreadableInput, NotAnalysable
        See `inference.loading`.
    """
    if len(files) != 1:
        return load_files(files, limits)
    (path,) = files
    if not path.exists():
        raise UnreadableInput(f"{path.name}: no longer there")
    if path.name.endswith(_NIFTI_SUFFIXES):
        return load_nifti(path)
    return load_dicom(path, limits)


def source_of_header(path: Path | None) -> SourceSeries:
    """The identity of a series from one of its files; empty where no header can be read."""
    if path is None:
        return SourceSeries()
    try:
        header = dcmread(path, stop_before_pixels=True, specific_tags=list(_IDENTITY))
    except (InvalidDicomError, OSError, ValueError):
        return SourceSeries()
    known = {keyword: str(header[keyword].value) for keyword in _IDENTITY if keyword in header}
    return SourceSeries(**known)  # type: ignore[arg-type]  # the four are text


def _first_file(files: tuple[Path, ...]) -> Path | None:
    """A file whose header names the study, for results that say why there are none."""
    first = files[0]
    if first.is_dir():
        return next((path for path in sorted(first.rglob("*")) if path.is_file()), None)
    return None if first.name.endswith(_NIFTI_SUFFIXES) else first
