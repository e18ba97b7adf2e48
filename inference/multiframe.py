"""Frames of Enhanced CT and Legacy Converted Enhanced CT objects.

Attributes of a frame come from its item of PerFrameFunctionalGroupsSequence or, if the macro is
shared, from SharedFunctionalGroupsSequence (Part 3, C.7.6.16).
"""

from __future__ import annotations

from pydicom import Dataset

from inference.dicom_files import DicomHeader
from inference.errors import UnreadableInput
from inference.headers import (
    FrameHeader,
    ModalityRescale,
    PixelLocation,
    element_value,
    frame_count,
    image_type,
    pixel_format_of,
    plane_of,
    rescale_of,
    text,
)

_EMPTY = Dataset()


def is_multi_frame(header: DicomHeader) -> bool:
    """Whether the object keeps its geometry in functional groups."""
    return bool(element_value(header.dataset, "PerFrameFunctionalGroupsSequence"))


def frames_of(header: DicomHeader) -> list[FrameHeader]:
    """Return the headers of all frames of a multi-frame object, in stored order.

    Raises
    ------
    UnreadableInput
        If the number of functional group items is not NumberOfFrames.
    """
    dataset = header.dataset
    count = frame_count(header)
    per_frame = element_value(dataset, "PerFrameFunctionalGroupsSequence")
    if len(per_frame) != count:
        raise UnreadableInput(
            f"{header.path.name}: PerFrameFunctionalGroupsSequence has {len(per_frame)} items"
            f" for NumberOfFrames {count}"
        )
    shared_items = element_value(dataset, "SharedFunctionalGroupsSequence") or [_EMPTY]
    pixel_format = pixel_format_of(header)
    object_image_type = image_type(dataset)
    offsets = _extended_offsets(dataset)
    frames = []
    for index, item in enumerate(per_frame):
        groups = _Groups(item, shared_items[0])
        content = groups.macro("FrameContentSequence")
        frame_type = image_type(groups.macro("CTImageFrameTypeSequence"), "FrameType")
        frames.append(
            FrameHeader(
                path=header.path,
                SOPInstanceUID=text(dataset, "SOPInstanceUID") or "",
                frame_number=index + 1,
                FrameOfReferenceUID=text(dataset, "FrameOfReferenceUID"),
                ImageType=frame_type if any(frame_type) else object_image_type,
                StackID=text(content, "StackID"),
                plane=plane_of(
                    groups.macro("PlanePositionSequence"),
                    groups.macro("PlaneOrientationSequence"),
                    groups.macro("PixelMeasuresSequence"),
                ),
                pixel_format=pixel_format,
                location=PixelLocation(
                    header.path, header.transfer_syntax, header.pixel_element, index, count, offsets
                ),
                rescale=_rescale(groups, dataset),
            )
        )
    return frames


class _Groups:
    """Functional groups of one frame: its own macros first, then the shared ones."""

    def __init__(self, per_frame: Dataset, shared: Dataset) -> None:
        self._per_frame = per_frame
        self._shared = shared

    def macro(self, keyword: str) -> Dataset:
        """First item of a macro's sequence; empty if the macro is absent."""
        for groups in (self._per_frame, self._shared):
            items = element_value(groups, keyword)
            if items:
                first: Dataset = items[0]
                return first
        return _EMPTY


def _rescale(groups: _Groups, dataset: Dataset) -> ModalityRescale:
    return rescale_of(groups.macro("PixelValueTransformationSequence"), dataset)


def _extended_offsets(dataset: Dataset) -> tuple[bytes, bytes] | None:
    offsets = element_value(dataset, "ExtendedOffsetTable")
    lengths = element_value(dataset, "ExtendedOffsetTableLengths")
    return (offsets, lengths) if offsets and lengths else None
