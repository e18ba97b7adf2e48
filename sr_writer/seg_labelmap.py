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
from sr_writer.headers import SourceHeaders
from sr_writer.instance import ResultContext, stamp
from sr_writer.provenance import LABELMAP_SEG, MANUFACTURER, ObjectKind
from sr_writer.segments import Segment, description


def build_labelmap(
    volume: CTVolume,
    labels: LabelArray,
    segments: tuple[Segment, ...],
    headers: SourceHeaders,
    context: ResultContext,
) -> Dataset:
    """Return the SEG of a label map on the volume's grid."""
    return library_seg(LABELMAP_SEG, source_planes(labels, volume, headers), segments, context)


def library_seg(
    kind: ObjectKind,
    sources: tuple[LabelArray, list[Dataset]],
    segments: tuple[Segment, ...],
    context: ResultContext,
) -> Dataset:
    """SEG as highdicom builds it.

    Parameters
    ----------
    kind
        `provenance.LABELMAP_SEG`, or `provenance.SEG` to compare with what is written without it.
    sources
        Label map (n, rows, columns), and the source images of its planes.
    """
    labels, images = sources
    numbers: npt.NDArray[np.uint8] = np.zeros(256, dtype=np.uint8)
    numbers[[segment.label for segment in segments]] = [segment.number for segment in segments]
    with warnings.catch_warnings():
        # highdicom repeats pydicom's remarks about values the source already carried
        warnings.simplefilter("ignore", UserWarning)
        seg = hd.seg.Segmentation(
            source_images=images,
            pixel_array=numbers[labels],
            segmentation_type="LABELMAP" if kind is LABELMAP_SEG else "BINARY",
            segment_descriptions=[description(segment, context) for segment in segments],
            series_instance_uid=context.uids.series(kind),
            series_number=1,
            sop_instance_uid=context.uids.instance(kind),
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
    stamp(seg, kind, context)
    for item in [*seg.DimensionOrganizationSequence, *seg.DimensionIndexSequence]:
        item.DimensionOrganizationUID = context.uids.dimension_organization()
    correct_ambiguous_vr(seg, is_little_endian=True)
    return seg


def source_planes(
    labels: LabelArray, volume: CTVolume, headers: SourceHeaders
) -> tuple[LabelArray, list[Dataset]]:
    """Label map and source headers in the same order, as highdicom matches them."""
    if headers.is_multi_frame:
        source = headers.slice(0)
        ordered = np.zeros((int(source.NumberOfFrames), *labels.shape[1:]), dtype=np.uint8)
        for k, frame in enumerate(volume.source.frames):
            ordered[(frame.frame_number or 1) - 1] = labels[k]
        return ordered, [source]
    span = occupied_slices(labels)
    return labels[span.start : span.stop], [headers.slice(k) for k in span]
