"""DICOM Segmentation (PS3.3 A.51, A.90): every structure of the mask on the source's own grid.

Empty frames are left out, segments run from head to foot, and each frame names the source image
it was derived from: without that, some viewers misplace the overlay by whole slices.
"""

from __future__ import annotations

from pydicom.dataset import Dataset

from inference.volume import CTVolume, LabelArray
from sr_writer.headers import SourceHeaders
from sr_writer.instance import ResultContext
from sr_writer.provenance import LABELMAP_SEG, SEG, ObjectKind
from sr_writer.seg_binary import build_binary
from sr_writer.seg_labelmap import build_labelmap
from sr_writer.segments import Segment


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
    if seg_kind(context) is LABELMAP_SEG:
        return build_labelmap(volume, labels, segments, headers, context)
    return build_binary(volume, labels, segments, context)
