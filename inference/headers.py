"""One frame's header: everything the geometry gate and the pixel reader need to know.

Keywords are those of the DICOM data dictionary. Elements that are absent or malformed are None
here; what that means is decided where they are needed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydicom import Dataset
from pydicom.errors import BytesLengthException
from pydicom.uid import UID

from inference.dicom_files import DicomHeader, PixelElement
from inference.errors import NotAnalysable, UnreadableInput

Vector3 = tuple[float, float, float]
Vector6 = tuple[float, float, float, float, float, float]


@dataclass(frozen=True)
class PixelFormat:
    """Image Pixel Module (Part 3, C.7.6.3) of one frame; equal for all frames of a volume."""

    rows: int
    columns: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    is_signed: bool

    @property
    def frame_bytes(self) -> int:
        """Length of one native frame in bytes."""
        return self.rows * self.columns * self.bits_allocated // 8


@dataclass(frozen=True)
class PixelLocation:
    """Where the encoded frame is."""

    path: Path
    transfer_syntax: UID
    element: PixelElement | None
    frame_index: int
    number_of_frames: int
    extended_offsets: tuple[bytes, bytes] | None = None


@dataclass(frozen=True)
class ModalityRescale:
    """From stored values to HU, and the stored values that mean "nothing was imaged here"."""

    slope: float | None
    intercept: float | None
    type: str | None
    padding_value: int | None = None
    padding_range_limit: int | None = None


@dataclass(frozen=True)
class FramePlane:
    """Position and orientation of a frame in LPS mm; None where absent or malformed."""

    ImagePositionPatient: Vector3 | None
    ImageOrientationPatient: Vector6 | None
    PixelSpacing: tuple[float, float] | None


@dataclass(frozen=True)
class FrameHeader:
    """One CT slice before its pixels are read."""

    path: Path
    SOPInstanceUID: str
    frame_number: int | None
    FrameOfReferenceUID: str | None
    ImageType: tuple[str, ...]
    StackID: str | None
    plane: FramePlane
    pixel_format: PixelFormat
    location: PixelLocation
    rescale: ModalityRescale


def element_value(dataset: Dataset, keyword: str) -> Any:
    """Value of an element; None if it is absent or its text is no value of its VR.

    Raises
    ------
    UnreadableInput
        If its VR is unknown or its length impossible, as only damaged bytes have them.
    """
    try:
        return dataset.get(keyword)
    except (TypeError, ValueError, OverflowError):
        return None
    except (BytesLengthException, NotImplementedError, KeyError) as error:
        name = Path(str(getattr(dataset, "filename", "") or "a sequence item")).name
        raise UnreadableInput(
            f"{name}: {keyword} has an unknown VR, the file is damaged"
        ) from error


def floats(dataset: Dataset, keyword: str, count: int) -> tuple[float, ...] | None:
    """`count` finite numbers of an element, or None if absent, malformed or of another count."""
    value = element_value(dataset, keyword)
    if value is None:
        return None
    try:
        values = tuple(float(part) for part in ([value] if count == 1 else value))
    except (TypeError, ValueError, OverflowError):
        return None
    return values if len(values) == count and all(map(math.isfinite, values)) else None


def number(dataset: Dataset, keyword: str) -> float | None:
    """One finite number of an element, or None."""
    values = floats(dataset, keyword, 1)
    return values[0] if values else None


def text(dataset: Dataset, keyword: str) -> str | None:
    """Return an element as stripped text (several values joined by a backslash), or None."""
    value = element_value(dataset, keyword)
    if value is None or value == "":
        return None
    joined = value if isinstance(value, str) else "\\".join(map(str, _as_list(value)))
    return joined.strip() or None


def image_type(dataset: Dataset, keyword: str = "ImageType") -> tuple[str, ...]:
    """Values of ImageType or FrameType in upper case."""
    return tuple(part.strip() for part in (text(dataset, keyword) or "").upper().split("\\"))


def plane_of(position: Dataset, orientation: Dataset, measures: Dataset) -> FramePlane:
    """Read the plane; the three data sets are the same one for single-frame objects."""
    p = floats(position, "ImagePositionPatient", 3)
    o = floats(orientation, "ImageOrientationPatient", 6)
    s = floats(measures, "PixelSpacing", 2)
    return FramePlane(
        (p[0], p[1], p[2]) if p else None,
        (o[0], o[1], o[2], o[3], o[4], o[5]) if o else None,
        (s[0], s[1]) if s else None,
    )


def rescale_of(transformation: Dataset, dataset: Dataset) -> ModalityRescale:
    """Read slope and intercept from `transformation` and padding from the whole `dataset`."""
    padding = number(dataset, "PixelPaddingValue")
    limit = number(dataset, "PixelPaddingRangeLimit")
    return ModalityRescale(
        number(transformation, "RescaleSlope"),
        number(transformation, "RescaleIntercept"),
        text(transformation, "RescaleType"),
        None if padding is None else int(padding),
        None if limit is None else int(limit),
    )


def pixel_format_of(header: DicomHeader) -> PixelFormat:
    """Read and check the Image Pixel Module.

    Raises
    ------
    UnreadableInput
        If an element is absent or its value contradicts the others.
    NotAnalysable
        ``not_ct`` for colour images.
    """
    rows, columns, allocated = (
        _required_int(header, keyword) for keyword in ("Rows", "Columns", "BitsAllocated")
    )
    dataset = header.dataset
    samples = int(number(dataset, "SamplesPerPixel") or 1)
    if samples != 1:
        raise NotAnalysable("not_ct", f"a colour image, not a CT (SamplesPerPixel {samples})")
    stored = int(number(dataset, "BitsStored") or allocated)
    high_bit = number(dataset, "HighBit")
    high = stored - 1 if high_bit is None else int(high_bit)
    if allocated not in (8, 16, 32) or not 0 < stored <= high + 1 <= allocated:
        raise UnreadableInput(
            f"{header.path.name}: BitsAllocated {allocated}, BitsStored {stored} and HighBit"
            f" {high} do not describe CT pixels"
        )
    signed = number(dataset, "PixelRepresentation") == 1
    return PixelFormat(rows, columns, allocated, stored, high, signed)


def frame_count(header: DicomHeader) -> int:
    """NumberOfFrames, 1 where absent.

    Raises
    ------
    NotAnalysable
        ``limits`` if it is below 1; `inference.limits` knows the other end.
    """
    value = number(header.dataset, "NumberOfFrames")
    frames = 1 if value is None else int(value)
    if frames < 1:
        raise NotAnalysable("limits", f"NumberOfFrames is {frames}, less than 1")
    return frames


def single_frame(header: DicomHeader) -> FrameHeader:
    """Return the header of a single-frame CT image (Part 3, A.3)."""
    dataset = header.dataset
    return FrameHeader(
        path=header.path,
        SOPInstanceUID=text(dataset, "SOPInstanceUID") or "",
        frame_number=None,
        FrameOfReferenceUID=text(dataset, "FrameOfReferenceUID"),
        ImageType=image_type(dataset),
        StackID=None,
        plane=plane_of(dataset, dataset, dataset),
        pixel_format=pixel_format_of(header),
        location=PixelLocation(
            header.path, header.transfer_syntax, header.pixel_element, 0, 1, None
        ),
        rescale=rescale_of(dataset, dataset),
    )


def _required_int(header: DicomHeader, keyword: str) -> int:
    value = number(header.dataset, keyword)
    if value is None or value < 1:
        raise UnreadableInput(f"{header.path.name}: {keyword} is absent or not a positive number")
    return int(value)


def _as_list(value: object) -> list[object]:
    return (
        list(value) if isinstance(value, (list, tuple)) or hasattr(value, "__iter__") else [value]
    )
