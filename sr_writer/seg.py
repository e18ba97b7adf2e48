"""DICOM Segmentation (PS3.3 A.51, A.90): every structure of the mask on the source's own grid.

Empty frames are left out, segments run from head to foot, and each frame names the source image
it was derived from: without that, some viewers misplace the overlay by whole slices.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import highdicom as hd
import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code as PydicomCode
from pydicom.valuerep import DS

from inference.anatomy import SACRUM_LABEL, VertebraLevel
from inference.volume import CTVolume, LabelArray
from sr_writer import codes, palette
from sr_writer.headers import SourceHeaders
from sr_writer.instance import ResultContext, stamp
from sr_writer.mask_statistics import mask_statistics, occupied_slices
from sr_writer.provenance import LABELMAP_SEG, MANUFACTURER, SEG, ObjectKind
from sr_writer.seg_frames import functional_group
from sr_writer.seg_groups import (
    SourcePlane,
    encoded_frames,
    plane_order,
    set_frames,
    set_references,
)
from sr_writer.wording import ascii_text


@dataclass(frozen=True)
class Segment:
    """One segment of the SEG."""

    number: int
    label: int
    name: str
    tracking_uid: str


def segments_of(labels: LabelArray, context: ResultContext) -> tuple[Segment, ...]:
    """Segments of a VerSe label map, numbered 1..N from head to foot, the sacrum last."""
    ordered = sorted(mask_statistics(labels), key=_rank)
    return tuple(
        Segment(number, label, codes.structure_name(label), _tracking_uid(label, context))
        for number, label in enumerate(ordered, start=1)
    )


def seg_kind(context: ResultContext) -> ObjectKind:
    """SOP class of the configured encoding."""
    return LABELMAP_SEG if context.settings.seg_encoding == "labelmap" else SEG


def build_seg(
    volume: CTVolume,
    labels: LabelArray,
    segments: tuple[Segment, ...],
    headers: SourceHeaders,
    context: ResultContext,
) -> Dataset:
    """Return the SEG of a label map on the volume's grid.

    Parameters
    ----------
    segments
        Of `labels`, from `segments_of`; at least one.
    """
    kind = seg_kind(context)
    mask, sources, planes = _frames(labels, volume, headers)
    lookup = np.zeros(256, dtype=np.uint8)
    for segment in segments:
        lookup[segment.label] = segment.number
    numbered = _numbered(mask, lookup)
    if kind is LABELMAP_SEG:
        seg = _library_seg(numbered, sources, segments, context)
        stamp(seg, kind, context)
        _derive_dimension_uids(seg, context.uids.dimension_organization())
        return seg
    orientation = _orientation(sources[0])
    positions = np.array([plane.position_lps_mm for plane in planes])
    frames = encoded_frames(numbered, planes, plane_order(positions, orientation))
    seg = _library_seg(_outline(numbered, sources, segments), sources[:1], segments, context)
    stamp(seg, kind, context)
    _derive_dimension_uids(seg, context.uids.dimension_organization())
    set_frames(seg, frames)
    set_references(seg, planes, str(sources[0].SeriesInstanceUID))
    if "SpacingBetweenSlices" not in sources[0]:
        _set_spacing(seg, positions, orientation)
    return seg


def _library_seg(
    numbered: LabelArray,
    sources: list[Dataset],
    segments: tuple[Segment, ...],
    context: ResultContext,
) -> Dataset:
    """SEG as highdicom builds it from segment numbers and the source images under them."""
    kind = seg_kind(context)
    with warnings.catch_warnings():
        # highdicom repeats pydicom's remarks about values the source already carried
        warnings.simplefilter("ignore", UserWarning)
        return hd.seg.Segmentation(
            source_images=sources,
            pixel_array=numbered,
            segmentation_type="LABELMAP" if kind is LABELMAP_SEG else "BINARY",
            segment_descriptions=[_description(segment, context) for segment in segments],
            series_instance_uid=context.uids.series(kind),
            series_number=1,
            sop_instance_uid=context.uids.instance(kind),
            instance_number=1,
            manufacturer=MANUFACTURER,
            manufacturer_model_name=context.findings.software_name,
            software_versions=context.findings.software_version,
            device_serial_number="1",
            content_description="Vertebrae, one segment per level",
            content_creator_name="",
            content_label="VERTEBRAE",
            # `stamp` sets it: highdicom refuses code extensions with an empty first value
            specific_character_set=None,
        )


def _numbered(mask: LabelArray, lookup: npt.NDArray[np.uint8]) -> LabelArray:
    """Segment numbers for labels; looked up only where the spine is, for most of a CT is not."""
    rows = np.flatnonzero(mask.max(axis=(0, 2)))
    columns = np.flatnonzero(mask[:, rows[0] : rows[-1] + 1].max(axis=(0, 1)))
    spine = (
        slice(None),
        slice(int(rows[0]), int(rows[-1]) + 1),
        slice(int(columns[0]), int(columns[-1]) + 1),
    )
    numbered = np.zeros_like(mask)
    numbered[spine] = lookup[mask[spine]]
    return numbered


def _rank(label: int) -> int:
    return 1000 if label == SACRUM_LABEL else VertebraLevel(label).rank


def _tracking_uid(label: int, context: ResultContext) -> str:
    return context.uids.tracking(codes.structure_name(label))


def _outline(
    numbered: LabelArray, sources: list[Dataset], segments: tuple[Segment, ...]
) -> LabelArray:
    """One pixel of each segment, enough for everything that is not per frame."""
    planes = 1 if len(sources) > 1 else len(numbered)
    outline: LabelArray = np.zeros((planes, *numbered.shape[1:]), dtype=np.uint8)
    outline.reshape(-1)[: len(segments)] = [segment.number for segment in segments]
    return outline


def _orientation(source: Dataset) -> list[float]:
    plane = source
    if "SharedFunctionalGroupsSequence" in source:
        plane = functional_group(source, 0, "PlaneOrientationSequence")
    return [float(value) for value in plane.ImageOrientationPatient]


def _set_spacing(
    seg: Dataset, positions_lps_mm: npt.NDArray[np.float64], orientation: list[float]
) -> None:
    """Distance of the slices where the source does not state it."""
    measures = seg.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    spacing, _ = hd.spatial.get_volume_positions(positions_lps_mm.tolist(), orientation)
    if spacing is not None:
        measures.SpacingBetweenSlices = DS(spacing, auto_format=True)
    elif "SpacingBetweenSlices" in measures:
        del measures.SpacingBetweenSlices


def _frames(
    labels: LabelArray, volume: CTVolume, headers: SourceHeaders
) -> tuple[LabelArray, list[Dataset], list[SourcePlane]]:
    """Label map, source headers and planes in the same order, as highdicom matches them."""
    if headers.is_multi_frame:
        source = headers.slice(0)
        ordered = _in_frame_order(labels, volume, headers)
        return ordered, [source], [_frame_plane(source, n) for n in range(len(ordered))]
    span = occupied_slices(labels)
    sources = [headers.slice(k) for k in span]
    return labels[span.start : span.stop], sources, [_slice_plane(source) for source in sources]


def _slice_plane(source: Dataset) -> SourcePlane:
    x, y, z = (float(value) for value in source.ImagePositionPatient)
    return SourcePlane(str(source.SOPClassUID), str(source.SOPInstanceUID), (x, y, z))


def _frame_plane(source: Dataset, index: int) -> SourcePlane:
    position = functional_group(source, index, "PlanePositionSequence").ImagePositionPatient
    x, y, z = (float(value) for value in position)
    return SourcePlane(
        str(source.SOPClassUID), str(source.SOPInstanceUID), (x, y, z), frame_number=index + 1
    )


def _in_frame_order(labels: LabelArray, volume: CTVolume, headers: SourceHeaders) -> LabelArray:
    frames = int(headers.slice(0).NumberOfFrames)
    ordered: npt.NDArray[np.uint8] = np.zeros((frames, *labels.shape[1:]), dtype=np.uint8)
    for k, frame in enumerate(volume.source.frames):
        ordered[(frame.frame_number or 1) - 1] = labels[k]
    return ordered


def _description(segment: Segment, context: ResultContext) -> hd.seg.SegmentDescription:
    model = context.findings.model
    return hd.seg.SegmentDescription(
        segment_number=segment.number,
        segment_label=segment.name,
        segmented_property_category=_pydicom_code(codes.ANATOMICAL_STRUCTURE),
        segmented_property_type=_pydicom_code(codes.structure_code(segment.label)),
        algorithm_type="AUTOMATIC",
        algorithm_identification=hd.AlgorithmIdentificationSequence(
            name=ascii_text(model.name if model else context.findings.software_name)[:64],
            version=ascii_text(model.version if model else context.findings.software_version)[:64],
            family=_pydicom_code(codes.ARTIFICIAL_INTELLIGENCE),
        ),
        tracking_id=segment.name,
        tracking_uid=segment.tracking_uid,
        display_color=palette.cielab(segment.label),
    )


def _pydicom_code(code: codes.Code) -> PydicomCode:
    return PydicomCode(code.value, code.scheme, code.meaning)


def _derive_dimension_uids(seg: Dataset, uid: str) -> None:
    for item in seg.get("DimensionOrganizationSequence", []):
        item.DimensionOrganizationUID = uid
    for item in seg.get("DimensionIndexSequence", []):
        item.DimensionOrganizationUID = uid
