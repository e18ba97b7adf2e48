"""What the headers of a complete series say about how it was made and what it covers."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydicom
from pydicom.dataset import Dataset

from inference.dicom_files import PARSE_ERRORS
from service.priority import OF_REQUESTED_PROCEDURE, ROUTINE_PRIORITY

_ELEMENTS = [
    "Modality", "SeriesDescription", "SliceThickness", "ConvolutionKernel", "ImageType",
    "ContrastBolusAgent", "SeriesNumber", "BodyPartExamined", "FrameOfReferenceUID",
    "RequestedProcedurePriority", "RequestAttributesSequence", "NumberOfFrames",
    "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence",
    "ImagePositionPatient", "ImageOrientationPatient", "Rows", "PixelSpacing",
]  # fmt: skip
_ORIENTATION_OF_AXIS = ("sagittal", "coronal", "axial")


@dataclass(frozen=True)
class SeriesFacts:
    """Facts that rules and preferences go by; empty, None or 0 where the headers do not say.

    Attributes
    ----------
    kernel
        ConvolutionKernel, several values joined with a backslash as in DICOM.
    from_z_mm, to_z_mm
        Lowest and highest point along the patient's axis (LPS), in mm.
    priority
        From RequestedProcedurePriority, else routine.
    """

    images: int = 0
    Modality: str = ""
    SeriesDescription: str = ""
    kernel: str = ""
    thickness_mm: float | None = None
    orientation: str = ""
    from_z_mm: float | None = None
    to_z_mm: float | None = None
    contrast: bool = False
    original: bool = True
    SeriesNumber: int = 0
    BodyPartExamined: str = ""
    FrameOfReferenceUID: str = ""
    priority: int = ROUTINE_PRIORITY

    @property
    def covered_mm(self) -> float | None:
        """Length of the patient that the series shows."""
        if self.from_z_mm is None or self.to_z_mm is None:
            return None
        return self.to_z_mm - self.from_z_mm


@dataclass(frozen=True)
class _Slice:
    """Where one slice lies: its orientation, and its lowest and highest point."""

    orientation: str
    from_z_mm: float
    to_z_mm: float


def read_facts(files: Iterable[Path]) -> SeriesFacts:
    """Read the headers of a series of at least one file; one that cannot be read says nothing.

    A scout among the slices speaks for the series only where there is nothing else.
    """
    headers = [_header(path) for path in files]
    images = [header for header in headers if not _is_scout(header)] or headers
    lying = [(header, each) for header in images for each in _slices(header)]
    orientations = Counter(each.orientation for _, each in lying).most_common(1)
    orientation = orientations[0][0] if orientations else ""
    slices = [each for _, each in lying]
    first = next((header for header, each in lying if each.orientation == orientation), images[0])
    shared = _first_item(first, "SharedFunctionalGroupsSequence")
    return SeriesFacts(
        images=sum(_whole_number(header.get("NumberOfFrames")) or 1 for header in headers),
        Modality=str(first.get("Modality", "")),
        SeriesDescription=str(first.get("SeriesDescription", "")),
        kernel=_joined(_anywhere(first, shared, "CTReconstructionSequence", "ConvolutionKernel")),
        thickness_mm=_number(_anywhere(first, shared, "PixelMeasuresSequence", "SliceThickness")),
        orientation=orientation,
        from_z_mm=min((each.from_z_mm for each in slices), default=None),
        to_z_mm=max((each.to_z_mm for each in slices), default=None),
        contrast=bool(str(first.get("ContrastBolusAgent", "") or "").strip()),
        original="DERIVED" not in _joined(first.get("ImageType")).upper(),
        SeriesNumber=_whole_number(first.get("SeriesNumber")),
        BodyPartExamined=str(first.get("BodyPartExamined", "") or ""),
        FrameOfReferenceUID=str(first.get("FrameOfReferenceUID", "") or ""),
        priority=_priority(first),
    )


def _priority(header: Dataset) -> int:
    """The most urgent of the request and its items (0040,1003)."""
    said = [header, *(header.get("RequestAttributesSequence") or ())]
    words = [str(each.get("RequestedProcedurePriority", "") or "").strip().upper() for each in said]
    known = [OF_REQUESTED_PROCEDURE[word] for word in words if word in OF_REQUESTED_PROCEDURE]
    return min(known, default=ROUTINE_PRIORITY)


def _slices(header: Dataset) -> Iterator[_Slice]:
    """The slices of one file."""
    if "PerFrameFunctionalGroupsSequence" not in header:
        yield from _slice_of(header)
        return
    shared = _first_item(header, "SharedFunctionalGroupsSequence")
    for frame in header.PerFrameFunctionalGroupsSequence:
        plane = Dataset()
        plane.Rows = header.get("Rows")
        for group, keyword in (
            ("PlanePositionSequence", "ImagePositionPatient"),
            ("PlaneOrientationSequence", "ImageOrientationPatient"),
            ("PixelMeasuresSequence", "PixelSpacing"),
        ):
            setattr(plane, keyword, _anywhere(frame, shared, group, keyword))
        yield from _slice_of(plane)


def _slice_of(header: Dataset) -> Iterator[_Slice]:
    """Orientation and extent along z of one slice, if its header has both (PS3.3 C.7.6.2)."""
    try:
        z = float(header.ImagePositionPatient[2])
        row, column = _vectors(header.ImageOrientationPatient)
        down_mm = float(header.PixelSpacing[0]) * int(header.Rows) * column[2]
    except (AttributeError, TypeError, ValueError, IndexError):
        return
    normal = (
        row[1] * column[2] - row[2] * column[1],
        row[2] * column[0] - row[0] * column[2],
        row[0] * column[1] - row[1] * column[0],
    )
    axis = max(range(3), key=lambda n: abs(normal[n]))
    if all(map(math.isfinite, (z, down_mm, *normal))):
        yield _Slice(_ORIENTATION_OF_AXIS[axis], min(z, z + down_mm), max(z, z + down_mm))


def _vectors(orientation: Any) -> tuple[list[float], list[float]]:
    values = [float(value) for value in orientation]
    if len(values) != 6:
        raise ValueError("ImageOrientationPatient has six values")
    return values[:3], values[3:]


def _anywhere(header: Dataset, shared: Dataset, group: str, keyword: str) -> Any:
    """An attribute of a classic header, or of the functional groups of a multi-frame one."""
    for place in (header, _first_item(header, group), _first_item(shared, group)):
        if place.get(keyword) is not None:
            return place.get(keyword)
    return None


def _first_item(header: Dataset, sequence: str) -> Dataset:
    items: Sequence[Dataset] = header.get(sequence) or [Dataset()]
    return items[0]


def _joined(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else "\\".join(str(each) for each in value)


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _whole_number(value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        return 0


def _is_scout(header: Dataset) -> bool:
    """Image Type value 3 (PS3.3 C.8.2.1.1.1)."""
    return "LOCALIZER" in _joined(header.get("ImageType")).upper()


def _header(path: Path) -> Dataset:
    try:
        return pydicom.dcmread(path, stop_before_pixels=True, specific_tags=list(_ELEMENTS))
    except PARSE_ERRORS:
        # The geometry gate reads the file again and says what is wrong with it.
        return Dataset()
