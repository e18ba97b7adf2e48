"""Label Map Segmentation (PS3.3 A.90): one frame per slice, segment numbers as pixel values."""

from __future__ import annotations

import warnings

import highdicom as hd
import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.filewriter import correct_ambiguous_vr

from inference.label_boxes import occupied_slices
from inference.volume import CTVolume, LabelArray
from sr_writer.headers import SourceHeaders, functional_group
from sr_writer.instance import ResultContext, stamp
from sr_writer.provenance import LABELMAP_SEG, MANUFACTURER
from sr_writer.segments import Segment, description


def build_labelmap(
    volume: CTVolume,
    labels: LabelArray,
    segments: tuple[Segment, ...],
    headers: SourceHeaders,
    context: ResultContext,
) -> Dataset:
    """Return the SEG of a label map on the volume's grid."""
    planes, images = source_planes(labels, volume, headers)
    numbers: npt.NDArray[np.uint8] = np.zeros(256, dtype=np.uint8)
    numbers[[segment.label for segment in segments]] = [segment.number for segment in segments]
    with warnings.catch_warnings():
        # highdicom repeats pydicom's remarks about values the source already carried
        warnings.simplefilter("ignore", UserWarning)
        seg = hd.seg.Segmentation(
            source_images=images,
            pixel_array=numbers[planes],
            segmentation_type="LABELMAP",
            segment_descriptions=[description(segment, context) for segment in segments],
            series_instance_uid=context.uids.series(LABELMAP_SEG),
            series_number=1,
            sop_instance_uid=context.uids.instance(LABELMAP_SEG),
            instance_number=1,
            manufacturer=MANUFACTURER,
            manufacturer_model_name=context.findings.software_name,
            software_versions=context.findings.software_version,
            device_serial_number="1",
            content_label="VERTEBRAE",
            content_description="Vertebrae, one segment per level",
            content_creator_name="",
            # `stamp` sets it: highdicom refuses code extensions with an empty first value
            specific_character_set=None,
        )
    stamp(seg, LABELMAP_SEG, context)
    for item in [*seg.DimensionOrganizationSequence, *seg.DimensionIndexSequence]:
        item.DimensionOrganizationUID = context.uids.dimension_organization()
    correct_ambiguous_vr(seg, is_little_endian=True)
    return seg


def source_planes(
    labels: LabelArray, volume: CTVolume, headers: SourceHeaders
) -> tuple[LabelArray, list[Dataset]]:
    """Label map and source headers in the same order, as highdicom matches them."""
    if headers.is_multi_frame:
        source = _with_shared_geometry(headers.common)
        ordered = np.zeros((int(source.NumberOfFrames), *labels.shape[1:]), dtype=np.uint8)
        for k, frame in enumerate(volume.source.frames):
            ordered[(frame.frame_number or 1) - 1] = labels[k]
        return ordered, [source]
    span = occupied_slices(labels)
    return labels[span.start : span.stop], [headers.slice(k) for k in span]


def _with_shared_geometry(header: Dataset) -> Dataset:
    """Multi-frame header as highdicom reads it: what a scanner may state per frame is shared."""
    shared, source = Dataset(), Dataset()
    for keyword in ("PlaneOrientationSequence", "PixelMeasuresSequence"):
        setattr(shared, keyword, [functional_group(header, 1, keyword)])
    source.update(header)
    source.SharedFunctionalGroupsSequence = [shared]
    return source
