"""The measurement report against the findings: every number, level, segment and centre."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NoReturn

import numpy as np
from pydicom.dataset import Dataset

from inference.volume import CTVolume
from sr_writer import codes
from sr_writer.errors import VerificationFailed
from sr_writer.findings_schema import Findings, VertebraFindings
from sr_writer.stored_items import StoredItem, stored_items
from sr_writer.vertebra_group import centre_slice, measurements

Item = StoredItem | Dataset
"""A content item, as it lies in the file or as pydicom reads it."""

_RELATIVE = 1e-9
"""Numeric Value is decimal text: only the last binary digit may differ."""


def verify_sr(
    sr: Dataset, findings: Findings, volume: CTVolume, segments: dict[int, str] | None
) -> None:
    """Compare a TID 1500 report read from its bytes with the findings.

    Parameters
    ----------
    segments
        Segment number to name in the SEG written beside it; None where there is no SEG.

    Raises
    ------
    VerificationFailed
        If a group, a value, a segment number or a centre differs.
    """
    content = stored_items(sr, "ContentSequence")
    if not content:
        _fail("is incomplete: it has no content")
    groups = list(measurement_groups(content))
    if len(groups) != len(findings.vertebrae):
        _fail(f"{len(groups)} measurement groups for {len(findings.vertebrae)} vertebrae")
    for group, vertebra in zip(groups, findings.flagged_first, strict=True):
        _verify_level(group, vertebra)
        _verify_numbers(group, vertebra)
        _verify_fracture(group, vertebra)
        _verify_segment(group, vertebra, segments)
        _verify_centre(group, vertebra, volume)


def measurement_groups(content: Iterable[Item]) -> Iterator[Item]:
    """Measurement groups in stored order of the content of a TID 1500 document."""
    for container in _named(content, codes.IMAGING_MEASUREMENTS):
        yield from _named(container.ContentSequence, codes.MEASUREMENT_GROUP)


def _named(items: Iterable[Item], code: codes.Code) -> list[Item]:
    return [item for item in items if _name(item) == (code.value, code.scheme)]


def _name(item: Item) -> tuple[str, str]:
    names = item.get("ConceptNameCodeSequence")
    return (names[0].CodeValue, names[0].CodingSchemeDesignator) if names else ("", "")


def _verify_level(group: Item, vertebra: VertebraFindings) -> None:
    tracking = _named(group.ContentSequence, codes.TRACKING_IDENTIFIER)
    found = str(tracking[0].TextValue) if tracking else "no name"
    if found != vertebra.label:
        _fail(f"group of {vertebra.label} is named {found}")
    expected = codes.vertebra_code(vertebra.level).value
    for name in (codes.FINDING, codes.FINDING_SITE):
        for item in _named(group.ContentSequence, name):
            if item.ConceptCodeSequence[0].CodeValue != expected:
                _fail(f"{vertebra.label} carries another vertebra's code")


def _verify_numbers(group: Item, vertebra: VertebraFindings) -> None:
    written = [item for item in group.ContentSequence if item.ValueType == "NUM"]
    expected = [m for m in measurements(vertebra) if m[1] is not None]
    if len(written) != len(expected):
        _fail(f"{vertebra.label} has {len(written)} numbers, the findings {len(expected)}")
    for item, (concept, value, unit, _) in zip(written, expected, strict=True):
        measured = item.MeasuredValueSequence[0]
        number = float(measured.NumericValue)
        same_unit = measured.MeasurementUnitsCodeSequence[0].CodeValue == unit.value
        same_name = _name(item) == (concept.value, concept.scheme)
        close = value is not None and np.isclose(number, value, rtol=_RELATIVE, atol=0)
        if not (same_name and same_unit and close):
            _fail(f"{vertebra.label}: {concept.meaning} is {number}, the findings say {value}")


def _verify_fracture(group: Item, vertebra: VertebraFindings) -> None:
    written = _named(group.ContentSequence, codes.COMPRESSION_FRACTURE)
    values = [item.ConceptCodeSequence[0].CodeValue for item in written]
    expected = {True: [codes.PRESENT.value], False: [codes.ABSENT.value], None: []}
    if values != expected[vertebra.fractured]:
        _fail(f"{vertebra.label}: presence of a fracture differs from the findings")


def _verify_segment(
    group: Item, vertebra: VertebraFindings, segments: dict[int, str] | None
) -> None:
    references = _named(group.ContentSequence, codes.REFERENCED_SEGMENT)
    if segments is None:
        return
    if len(references) != 1:
        _fail(f"{vertebra.label} references {len(references)} segments")
    number = int(references[0].ReferencedSOPSequence[0].ReferencedSegmentNumber)
    if segments.get(number) != vertebra.label:
        _fail(f"{vertebra.label} references segment {number}, which is {segments.get(number)}")


def _verify_centre(group: Item, vertebra: VertebraFindings, volume: CTVolume) -> None:
    points = _named(group.ContentSequence, codes.CENTER)
    if len(points) != 1:
        _fail(f"{vertebra.label} has {len(points)} centre points")
    reference = points[0].ContentSequence[0].ReferencedSOPSequence[0]
    k = _slice_of(reference, volume)
    if k is None or k != centre_slice(vertebra, volume):
        _fail(f"{vertebra.label}: the centre lies on another slice than the reference says")
    column, row = (float(v) for v in points[0].GraphicData)
    point = volume.to_lps_mm((k, row - 0.5, column - 0.5))
    distance_mm = float(np.linalg.norm(point - np.asarray(vertebra.centroid_lps_mm)))
    limit_mm = 0.5 * volume.spacing_kji_mm[0] + 0.5 * min(volume.spacing_kji_mm)
    if distance_mm > limit_mm and _inside(vertebra, volume):
        _fail(f"{vertebra.label}: the centre is {distance_mm:.2f} mm off")


def _inside(vertebra: VertebraFindings, volume: CTVolume) -> bool:
    index = volume.to_index_kji(vertebra.centroid_lps_mm)
    return bool(((index >= -0.5) & (index <= np.array(volume.shape_kji) - 0.5)).all())


def _slice_of(reference: Item, volume: CTVolume) -> int | None:
    wanted = (
        str(reference.ReferencedSOPInstanceUID),
        reference.get("ReferencedFrameNumber"),
    )
    for k, frame in enumerate(volume.source.frames):
        if (frame.SOPInstanceUID, frame.frame_number) == wanted:
            return k
    return None


def _fail(text: str) -> NoReturn:
    raise VerificationFailed("sr", text)
