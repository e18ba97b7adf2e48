"""Segmentation of one frame per segment and slice (PS3.3 A.51), of the form every viewer shows.

The attributes are those that highdicom writes (`tests/sr_writer/test_seg_content.py` compares
them); it is not used because loading its tables of attributes takes longer than all of this.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.valuerep import DS

from inference.label_boxes import occupied_slices
from inference.volume import CTVolume, LabelArray
from sr_writer.explicit_vr import data_set, element, sequence, sequence_value, set_encoded
from sr_writer.headers import functional_group
from sr_writer.instance import ResultContext, new_instance
from sr_writer.provenance import SEG
from sr_writer.references import sop_reference
from sr_writer.seg_groups import EncodedFrames, encoded_frames
from sr_writer.segments import Segment, description

_DIMENSIONS = (
    ("ReferencedSegmentNumber", "SegmentIdentificationSequence", "Referenced Segment Number"),
    ("ImagePositionPatient", "PlanePositionSequence", "Image Position Patient"),
)
"""Pointer, functional group and name of the frames' two dimensions (C.7.6.17)."""


def build_binary(
    volume: CTVolume, labels: LabelArray, segments: tuple[Segment, ...], context: ResultContext
) -> Dataset:
    """Return the SEG of a label map on the volume's grid; encoded frames, empty ones left out."""
    positions = _positions_lps_mm(volume)
    seg = new_instance(SEG, context)
    _set_content(seg, segments, context)
    _set_source(seg, volume, labels, context.header)
    _set_grid(seg, volume, context.header)
    _set_dimensions(seg, context.uids.dimension_organization())
    _set_frames(seg, labels.shape, encoded_frames(volume, labels, segments, positions))
    return seg


def _positions_lps_mm(volume: CTVolume) -> npt.NDArray[np.float64]:
    """Positions as the slices state them: viewers match frame and image by them."""
    stated = [frame.ImagePositionPatient for frame in volume.source.frames]
    return np.array(
        [volume.to_lps_mm((k, 0, 0)) if p is None else p for k, p in enumerate(stated)],
        dtype=np.float64,
    )


def _set_content(seg: Dataset, segments: tuple[Segment, ...], context: ResultContext) -> None:
    """Segmentation Image and content identification (C.8.20.2, 10.34)."""
    seg.ImageType = ["DERIVED", "PRIMARY"]
    seg.SegmentationType = "BINARY"
    seg.SegmentsOverlap = "NO"
    seg.SegmentSequence = [description(segment, context) for segment in segments]
    seg.ContentLabel = "VERTEBRAE"
    seg.ContentDescription = "Vertebrae, one segment per level"
    seg.ContentCreatorName = ""
    seg.PresentationLUTShape = "IDENTITY"


def _set_source(seg: Dataset, volume: CTVolume, labels: LabelArray, header: Dataset) -> None:
    """Name every source image (C.7.6.1, C.12.1.1.1), and what it went through (C.7.6.1.1.5)."""
    source = volume.source
    uids = dict.fromkeys(source.frames[k].SOPInstanceUID for k in occupied_slices(labels))
    images = [sop_reference(source.SOPClassUID or "", uid) for uid in uids]
    set_encoded(seg, "SourceImageSequence", sequence_value(images))
    series = data_set(
        sequence("ReferencedInstanceSequence", images),
        element("SeriesInstanceUID", source.SeriesInstanceUID or ""),
    )
    set_encoded(seg, "ReferencedSeriesSequence", sequence_value([series]))
    lossy = str(header.get("LossyImageCompression") or "")
    seg.LossyImageCompression = "01" if lossy in ("1", "01") else "00"
    if seg.LossyImageCompression == "01":
        for keyword in ("LossyImageCompressionRatio", "LossyImageCompressionMethod"):
            if header.get(keyword):
                seg[keyword] = header[keyword]


def _set_grid(seg: Dataset, volume: CTVolume, header: Dataset) -> None:
    """Frame of Reference and the groups that all frames share (C.7.4.1, C.7.6.16.2)."""
    seg.FrameOfReferenceUID = header.FrameOfReferenceUID
    seg.PositionReferenceIndicator = header.get("PositionReferenceIndicator", "")
    frame_number = volume.source.frames[0].frame_number
    plane, pixels = header, header
    if frame_number is not None:
        plane = functional_group(header, frame_number, "PlaneOrientationSequence")
        pixels = functional_group(header, frame_number, "PixelMeasuresSequence")
    orientation, measures, shared = Dataset(), Dataset(), Dataset()
    orientation.ImageOrientationPatient = plane.ImageOrientationPatient
    measures.PixelSpacing = pixels.PixelSpacing
    # as measured between the slices: what a header states of it may be wrong
    spacing = DS(round(volume.spacing_kji_mm[0], 6), auto_format=True)
    measures.SpacingBetweenSlices = spacing
    measures.SliceThickness = pixels.get("SliceThickness") or spacing
    shared.PlaneOrientationSequence, shared.PixelMeasuresSequence = [orientation], [measures]
    seg.SharedFunctionalGroupsSequence = [shared]


def _set_dimensions(seg: Dataset, uid: str) -> None:
    organization = Dataset()
    organization.DimensionOrganizationUID = uid
    seg.DimensionOrganizationSequence = [organization]
    seg.DimensionIndexSequence = [_dimension(*names, uid) for names in _DIMENSIONS]


def _dimension(pointer: str, group: str, name: str, uid: str) -> Dataset:
    item = Dataset()
    item.DimensionOrganizationUID = uid
    item.DimensionIndexPointer = Tag(pointer)
    item.FunctionalGroupPointer = Tag(group)
    item.DimensionDescriptionLabel = name
    return item


def _set_frames(seg: Dataset, shape_kji: tuple[int, ...], frames: EncodedFrames) -> None:
    """Image Pixel and Multi-frame (C.7.6.3, C.7.6.6)."""
    seg.SamplesPerPixel = 1
    seg.PhotometricInterpretation = "MONOCHROME2"
    seg.BitsAllocated = seg.BitsStored = 1
    seg.HighBit = seg.PixelRepresentation = 0
    _, seg.Rows, seg.Columns = shape_kji
    seg.NumberOfFrames = frames.count
    set_encoded(seg, "PerFrameFunctionalGroupsSequence", frames.groups)
    seg.PixelData = frames.bits
    seg["PixelData"].VR = "OB"
