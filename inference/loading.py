"""From DICOM files to a `CTVolume`: read headers, choose the series, pass the gate, read pixels."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from inference.acquisition import read_acquisition
from inference.dicom_files import DicomHeader, list_files, read_headers
from inference.geometry_gate import Stack, pass_gate
from inference.headers import FrameHeader, text
from inference.limits import DEFAULT_LIMITS, InputLimits, require_sizes
from inference.pixels import stored_frames
from inference.rescale import padding_notices, require_hounsfield, write_hu
from inference.series_choice import (
    choose_series,
    choose_stack,
    count_frames,
    drop_localizers,
    frames_of_series,
    is_ct,
)
from inference.volume import Acquisition, CTVolume, HUArray, Notice, SourceFrame, SourceSeries

SLICE_GAP_FRACTION = 0.9
"""SliceThickness below this fraction of the slice distance leaves anatomy between slices."""

TILT_HEADER_TOLERANCE_DEG = 0.25
"""GantryDetectorTilt above this is reported although the positions show no tilt."""


def load_dicom(path: Path, limits: InputLimits = DEFAULT_LIMITS) -> CTVolume:
    """Read the CT series in a folder (with sub-folders), or one DICOM file.

    Raises
    ------
    UnreadableInput
        If no CT can be read from the files.
    NotAnalysable
        If they hold no single regular CT volume; `inference.geometry_gate`, `inference.limits`,
        `inference.series_choice` and `inference.rescale` list the codes.
    """
    return load_files(list_files(path), limits)


def load_files(paths: Sequence[Path], limits: InputLimits = DEFAULT_LIMITS) -> CTVolume:
    """Read the CT series made of these files, in any order.

    Raises
    ------
    UnreadableInput, NotAnalysable
        As `load_dicom`.
    """
    with warnings.catch_warnings():
        # pydicom's remarks quote element values; what matters is checked here.
        warnings.simplefilter("ignore")
        return _load(paths, limits)


def _load(paths: Sequence[Path], limits: InputLimits) -> CTVolume:
    headers, foreign = read_headers(paths, limits.inflated_bytes)
    require_sizes([header for header in headers if is_ct(header)], limits)
    notices = []
    if foreign:
        notices.append(
            Notice("non_dicom_ignored", f"{len(foreign)} file(s) that are no DICOM instances")
        )
    members, remarks = choose_series(headers)
    notices += remarks
    frames, remarks = drop_localizers(frames_of_series(members), count_frames(members))
    notices += remarks
    frames, remarks = choose_stack(frames)
    notices += remarks
    notices += require_hounsfield(frames)
    notices += padding_notices(frames)
    stack = pass_gate(frames, _same_pixels)
    header = next(m for m in members if m.path == stack.frames[0].path)
    acquisition = read_acquisition(header)
    notices += [*stack.notices, *_acquisition_notices(header, acquisition, stack)]
    return CTVolume(
        hu=_read_hu(stack.frames),
        affine_lps=stack.affine_lps,
        source=_source(header, stack, acquisition),
        warnings=tuple(notices),
    )


def _read_hu(frames: Sequence[FrameHeader]) -> HUArray:
    pixel_format = frames[0].pixel_format
    hu = np.empty((len(frames), pixel_format.rows, pixel_format.columns), dtype=np.int16)
    for k, stored in stored_frames(frames):
        write_hu(stored, frames[k], hu[k])
    return hu


def _same_pixels(one: FrameHeader, other: FrameHeader) -> bool:
    first, second = _read_hu([one]), _read_hu([other])
    return bool(np.array_equal(first, second))


def _source(header: DicomHeader, stack: Stack, acquisition: Acquisition) -> SourceSeries:
    dataset = header.dataset
    return SourceSeries(
        StudyInstanceUID=text(dataset, "StudyInstanceUID"),
        SeriesInstanceUID=text(dataset, "SeriesInstanceUID"),
        SOPClassUID=text(dataset, "SOPClassUID"),
        FrameOfReferenceUID=text(dataset, "FrameOfReferenceUID"),
        frames=tuple(
            SourceFrame(
                frame.path,
                frame.SOPInstanceUID,
                frame.frame_number,
                frame.plane.ImagePositionPatient,
            )
            for frame in stack.frames
        ),
        acquisition=acquisition,
    )


def _acquisition_notices(
    header: DicomHeader, acquisition: Acquisition, stack: Stack
) -> list[Notice]:
    notices = []
    spacing = float(np.linalg.norm(stack.affine_lps[:3, 0]))
    thickness = acquisition.SliceThickness
    if thickness is not None and 0 < thickness < SLICE_GAP_FRACTION * spacing:
        notices.append(
            Notice(
                "slice_gap",
                f"Slices of {thickness:g} mm lie {spacing:g} mm apart, with gaps between them.",
            )
        )
    tilt = acquisition.GantryDetectorTilt
    if tilt is not None and abs(tilt) > TILT_HEADER_TOLERANCE_DEG:
        notices.append(
            Notice(
                "gantry_tilt_in_header",
                f"A gantry tilt of {tilt:g} degrees is stated, the slice positions show none.",
            )
        )
    if text(header.dataset, "LossyImageCompression") == "01":
        notices.append(Notice("lossy_compression", "The images were compressed with loss."))
    return notices
