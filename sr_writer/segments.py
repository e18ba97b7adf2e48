"""The segments of a SEG: their order, names, codes and colours (PS3.3 C.8.20.4)."""

from __future__ import annotations

from dataclasses import dataclass

import highdicom as hd
from pydicom.sr.coding import Code as PydicomCode

from inference.anatomy import SACRUM_LABEL, VertebraLevel
from inference.label_boxes import label_boxes
from inference.volume import LabelArray
from sr_writer import codes, palette
from sr_writer.instance import ResultContext
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
    ordered = sorted(label_boxes(labels), key=_rank)
    return tuple(
        Segment(number, label, codes.structure_name(label), _tracking_uid(label, context))
        for number, label in enumerate(ordered, start=1)
    )


def description(segment: Segment, context: ResultContext) -> hd.seg.SegmentDescription:
    """Item of Segment Sequence."""
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


def _rank(label: int) -> int:
    return 1000 if label == SACRUM_LABEL else VertebraLevel(label).rank


def _tracking_uid(label: int, context: ResultContext) -> str:
    return context.uids.tracking(codes.structure_name(label))


def _pydicom_code(code: codes.Code) -> PydicomCode:
    return PydicomCode(code.value, code.scheme, code.meaning)
