"""Comprehensive 3D SR, TID 1500: one measurement group (TID 1411) per vertebra.

This is the form that the viewers and readers of docs/dicom-output.md accept alike: a referenced
segment and, on the slice of the body's centre, one SCOORD POINT "Center" in every group.
"""

from __future__ import annotations

from collections.abc import Iterable

from pydicom.dataset import Dataset

from inference.volume import CTVolume
from sr_writer import codes, wording
from sr_writer.content_items import (
    CONTAINS,
    HAS_ACQ_CONTEXT,
    HAS_CONCEPT_MOD,
    HAS_OBS_CONTEXT,
    code_item,
    container_item,
    image_item,
    set_root,
    text_item,
    uid_item,
)
from sr_writer.explicit_vr import element, set_encoded
from sr_writer.instance import ResultContext, coding_schemes, new_instance
from sr_writer.provenance import MANUFACTURER, SR, ObjectKind
from sr_writer.references import (
    InstanceReference,
    evidence,
    instance_reference,
    slice_instance,
    slice_reference,
    sop_reference,
)
from sr_writer.segments import Segment
from sr_writer.vertebra_group import centre_slice, vertebra_group


def build_sr(
    volume: CTVolume, seg: Dataset | None, segments: tuple[Segment, ...], context: ResultContext
) -> Dataset:
    """Return the measurement report of an analysed study.

    Parameters
    ----------
    seg
        The SEG whose segments the groups reference; None where SEG is not among the outputs.
    segments
        Segments of `seg`.
    """
    findings = context.findings
    numbers = {segment.name: segment.number for segment in segments} if seg is not None else {}
    groups = [
        vertebra_group(vertebra, volume, _segment_reference(seg, numbers.get(vertebra.label)),
                       context)
        for vertebra in findings.flagged_first
    ]  # fmt: skip
    slices = sorted({centre_slice(vertebra, volume) for vertebra in findings.vertebrae})
    children = [*_report_head(context)]
    if groups:
        children.append(_image_library(volume, slices))
        children.append(container_item(CONTAINS, codes.IMAGING_MEASUREMENTS, groups))
    children.append(_qualitative(context))
    references = [slice_instance(volume.source, k) for k in slices]
    if seg is not None:
        references.append(instance_reference(seg))
    return sr_document(SR, children, references, context)


def build_not_analysable_sr(
    references: Iterable[InstanceReference], context: ResultContext
) -> Dataset:
    """Return a report that says why there are no measurements."""
    children = [*_report_head(context), _qualitative(context)]
    return sr_document(SR, children, references, context)


def sr_document(
    kind: ObjectKind,
    children: Iterable[bytes],
    references: Iterable[InstanceReference],
    context: ResultContext,
) -> Dataset:
    """Return a TID 1500 or narrative document around its content (PS3.3 C.17.2)."""
    ds = new_instance(kind, context)
    is_report = kind is SR
    title = codes.IMAGING_MEASUREMENT_REPORT if is_report else codes.DIAGNOSTIC_IMAGING_REPORT
    set_root(ds, title, children, "1500" if is_report else "2000")
    ds.CompletionFlag = "COMPLETE"
    ds.VerificationFlag = "UNVERIFIED"
    ds.PreliminaryFlag = "PRELIMINARY"
    ds.PerformedProcedureCodeSequence = []
    ds.ReferencedPerformedProcedureStepSequence = []
    ds.CodingSchemeIdentificationSequence = coding_schemes()
    referenced = evidence(references)
    if referenced:
        set_encoded(ds, "CurrentRequestedProcedureEvidenceSequence", referenced)
    _supersede(ds, context)
    return ds


def observer_items(context: ResultContext) -> list[bytes]:
    """Observation context: the program as device observer (TID 1002, 1004)."""
    findings = context.findings
    name = findings.software_name
    relation = HAS_OBS_CONTEXT
    return [
        code_item(relation, codes.OBSERVER_TYPE, codes.DEVICE),
        uid_item(relation, codes.DEVICE_UID, context.uids.device()),
        text_item(relation, codes.DEVICE_NAME, f"{name} {findings.software_version}"),
        text_item(relation, codes.DEVICE_MANUFACTURER, MANUFACTURER),
        text_item(relation, codes.DEVICE_MODEL, name),
        text_item(relation, codes.DEVICE_SERIAL, context.uids.device_serial()),
    ]


def language_item() -> bytes:
    """Language of the document (TID 1204)."""
    return code_item(HAS_CONCEPT_MOD, codes.LANGUAGE, codes.ENGLISH)


def _report_head(context: ResultContext) -> list[bytes]:
    return [
        language_item(),
        *observer_items(context),
        code_item(HAS_CONCEPT_MOD, codes.PROCEDURE_REPORTED, codes.CT_UNSPECIFIED),
    ]


def _segment_reference(seg: Dataset | None, number: int | None) -> bytes | None:
    if seg is None or number is None:
        return None
    segment = element("ReferencedSegmentNumber", number)
    return sop_reference(str(seg.SOPClassUID), str(seg.SOPInstanceUID), segment)


def _image_library(volume: CTVolume, slices: list[int]) -> bytes:
    """Only the slices the centres lie on: a whole series costs half a megabyte of report."""
    modality = code_item(HAS_ACQ_CONTEXT, codes.MODALITY, codes.COMPUTED_TOMOGRAPHY)
    images = [image_item(CONTAINS, None, slice_reference(volume.source, k)) for k in slices]
    group = container_item(CONTAINS, codes.IMAGE_LIBRARY_GROUP, [modality, *images])
    return container_item(CONTAINS, codes.IMAGE_LIBRARY, [group], "1600")


def _qualitative(context: ResultContext) -> bytes:
    """Whole-study statements (TID 1500 rows 12 to 14)."""
    findings = context.findings
    lines = [wording.conclusion(findings), wording.RESEARCH_USE]
    if findings.analysed:
        lines.insert(1, wording.spine_density(findings.spine))
        lines.append(wording.preset_text(findings))
    lines += [f"Warning: {notice.text}" for notice in findings.warnings]
    lines.append(wording.superseding(context.settings.predecessor))
    lines.append(f"Made by {wording.model_text(findings)}.")
    items = [text_item(CONTAINS, codes.COMMENT, wording.ascii_text(line)) for line in lines if line]
    return container_item(CONTAINS, codes.QUALITATIVE_EVALUATIONS, items)


def _supersede(ds: Dataset, context: ResultContext) -> None:
    """Name the report that this one replaces (Predecessor Documents Sequence)."""
    predecessor = context.settings.predecessor
    if predecessor is None:
        return
    earlier = InstanceReference(
        str(ds.StudyInstanceUID),
        predecessor.SeriesInstanceUID,
        predecessor.SOPClassUID,
        predecessor.SOPInstanceUID,
    )
    set_encoded(ds, "PredecessorDocumentsSequence", evidence([earlier]))
