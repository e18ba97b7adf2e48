"""One vertebra as a measurement group (PS3.16 TID 1411 with TID 1419 and TID 4019).

Viewers list the first few numbers only, so height loss, grade, heights and HU come first and
texture last. What is unavailable is left out and said as text.
"""

from __future__ import annotations

from collections.abc import Iterator

from inference.volume import CTVolume
from sr_writer import codes, wording
from sr_writer.codes import Code
from sr_writer.content_items import (
    CONTAINS,
    HAS_CONCEPT_MOD,
    HAS_OBS_CONTEXT,
    code_item,
    container_item,
    image_item,
    number_item,
    point_item,
    text_item,
    uid_item,
)
from sr_writer.findings_schema import VertebraFindings
from sr_writer.instance import ResultContext
from sr_writer.references import slice_reference

Measurement = tuple[Code, float | int | None, Code, Code | None]
"""Concept, value, unit and derivation."""


def vertebra_group(
    vertebra: VertebraFindings,
    volume: CTVolume,
    segment: bytes | None,
    context: ResultContext,
) -> bytes:
    """Return the group of one vertebra.

    Parameters
    ----------
    segment
        Reference to the vertebra's segment, or None where no SEG is written.
    """
    code = codes.vertebra_code(vertebra.level)
    tracking_uid = context.uids.tracking(vertebra.label)
    children = [
        text_item(HAS_OBS_CONTEXT, codes.TRACKING_IDENTIFIER, vertebra.label),
        uid_item(HAS_OBS_CONTEXT, codes.TRACKING_UID, tracking_uid),
        code_item(CONTAINS, codes.FINDING_CATEGORY, codes.ANATOMICAL_STRUCTURE),
        code_item(CONTAINS, codes.FINDING, code),
        code_item(HAS_CONCEPT_MOD, codes.FINDING_SITE, code),
        *_algorithm(context),
        *_region(vertebra, volume, segment),
        *(_number(measurement) for measurement in measurements(vertebra)
          if measurement[1] is not None),
        *_evaluations(vertebra),
    ]  # fmt: skip
    return container_item(CONTAINS, codes.MEASUREMENT_GROUP, children, "1411")


def measurements(vertebra: VertebraFindings) -> Iterator[Measurement]:
    """Every number of a vertebra in reporting order; value None where unavailable."""
    heights, hu = vertebra.heights_mm, vertebra.hu
    yield codes.HEIGHT_LOSS, vertebra.height_loss_percent, codes.PERCENT, None
    # OHIF prints no zero: with the unit "1", grade 0 would read as "Genant grade: 1"
    yield codes.GENANT_GRADE, vertebra.genant.grade, codes.GRADE, None
    yield codes.HEIGHT_ANTERIOR, heights.anterior, codes.MILLIMETER, None
    yield codes.HEIGHT_MIDDLE, heights.middle, codes.MILLIMETER, None
    yield codes.HEIGHT_POSTERIOR, heights.posterior, codes.MILLIMETER, None
    yield codes.ATTENUATION, hu.mean, codes.HOUNSFIELD, codes.MEAN
    yield codes.ATTENUATION, hu.median, codes.HOUNSFIELD, codes.MEDIAN
    yield codes.ATTENUATION, hu.sd, codes.HOUNSFIELD, codes.STANDARD_DEVIATION
    yield codes.BMD, vertebra.bmd_mg_cm3, codes.MG_PER_CM3, None
    yield codes.VOLUME, vertebra.volume_ml, codes.MILLILITER, None
    yield codes.LEVEL_CONFIDENCE, vertebra.confidence, codes.NO_UNITS, None
    for key, (concept, unit) in codes.FEATURES.items():
        yield concept, vertebra.features.get(key), unit, None


def centre_slice(vertebra: VertebraFindings, volume: CTVolume) -> int:
    """Slice nearest to the body's centre, inside the volume."""
    k = round(float(volume.to_index_kji(vertebra.centroid_lps_mm)[0]))
    return min(max(k, 0), volume.shape_kji[0] - 1)


def centre_point(vertebra: VertebraFindings, volume: CTVolume) -> tuple[float, float]:
    """Column and row of the body's centre in image coordinates, inside the image."""
    _, j, i = volume.to_index_kji(vertebra.centroid_lps_mm)
    _, rows, columns = volume.shape_kji
    column = min(max(float(i) + 0.5, 0.0), float(columns))
    row = min(max(float(j) + 0.5, 0.0), float(rows))
    return column, row


def _algorithm(context: ResultContext) -> Iterator[bytes]:
    findings = context.findings
    model = findings.model
    name = model.name if model else findings.software_name
    version = model.version if model else findings.software_version
    yield text_item(HAS_CONCEPT_MOD, codes.ALGORITHM_NAME, wording.ascii_text(name))
    yield text_item(HAS_CONCEPT_MOD, codes.ALGORITHM_VERSION, wording.ascii_text(version))
    if model is not None:
        digest = f"sha256 {model.sha256}"
        yield text_item(HAS_CONCEPT_MOD, codes.ALGORITHM_PARAMETERS, digest)


def _region(vertebra: VertebraFindings, volume: CTVolume, segment: bytes | None) -> Iterator[bytes]:
    if segment is not None:
        yield image_item(CONTAINS, codes.REFERENCED_SEGMENT, segment)
        yield uid_item(CONTAINS, codes.SOURCE_SERIES, volume.source.SeriesInstanceUID or "")
    image = slice_reference(volume.source, centre_slice(vertebra, volume))
    yield point_item(codes.CENTER, centre_point(vertebra, volume), image)


def _number(measurement: Measurement) -> bytes:
    concept, value, unit, derivation = measurement
    modifiers = [code_item(HAS_CONCEPT_MOD, codes.DERIVATION, derivation)] if derivation else []
    return number_item(concept, value if value is not None else 0, unit, modifiers)


def _evaluations(vertebra: VertebraFindings) -> Iterator[bytes]:
    if vertebra.fractured is not None:
        presence = codes.PRESENT if vertebra.fractured else codes.ABSENT
        yield code_item(CONTAINS, codes.COMPRESSION_FRACTURE, presence)
    if vertebra.genant.type in codes.GENANT_TYPES:
        deformity = codes.GENANT_TYPES[vertebra.genant.type]
        yield code_item(CONTAINS, codes.GENANT_TYPE, deformity)
    for line in _comments(vertebra):
        yield text_item(CONTAINS, codes.COMMENT, wording.ascii_text(line))


def _comments(vertebra: VertebraFindings) -> Iterator[str]:
    if vertebra.fracture_sentence and vertebra.fractured:
        yield vertebra.fracture_sentence
    remark = wording.remark(vertebra)
    if remark:
        yield f"{remark[0].upper()}{remark[1:]}."
    yield from wording.unavailable_lines(vertebra)
