"""From reports to `Findings`: measurements and texture joined per vertebra, rounded once."""

from __future__ import annotations

import hashlib

from inference.anatomy import VertebraLevel
from inference.label_boxes import occupied_slices
from inference.report import SpineReport, VertebraMeasurement
from inference.volume import CTVolume, Notice, SourceSeries
from sr_writer.findings_schema import (
    FEATURE_KEYS,
    Findings,
    GenantFindings,
    HeightFindings,
    HUFindings,
    ModelFindings,
    OutputReference,
    PresetFindings,
    ReferenceFindings,
    SourceFindings,
    SpineFindings,
    VertebraFindings,
)
from sr_writer.references import can_be_named
from sr_writer.rounding import finite, rounded, rounded_bmd, rounded_loss, significant
from sr_writer.settings import SoftwareIdentity
from sr_writer.shape_findings import shape_findings
from texture.report import TextureReport, VertebraTexture

__all__ = [
    "FEATURE_KEYS",
    "Findings",
    "GenantFindings",
    "HUFindings",
    "HeightFindings",
    "ModelFindings",
    "OutputReference",
    "PresetFindings",
    "SourceFindings",
    "SpineFindings",
    "VertebraFindings",
    "assemble",
    "not_analysable",
]

NO_DICOM_SOURCE = Notice(
    "no_dicom_source", "The input has no DICOM source images: no DICOM objects are written."
)
NO_IDENTITY = Notice(
    "no_identity",
    "The images do not name their study or series, or are not told apart by their UIDs: no DICOM "
    "objects are written.",
)
EMPTY_SEGMENTATION = Notice(
    "empty_segmentation", "No vertebra was found: no DICOM segmentation is written."
)
NO_REASON_GIVEN = "could not be measured on this vertebra"


def assemble(
    volume: CTVolume, report: SpineReport, texture: TextureReport, software: SoftwareIdentity
) -> Findings:
    """Join what was measured into one answer.

    Parameters
    ----------
    volume
        The CT volume that was analysed.
    report
        Masks, heights and fracture findings.
    texture
        Density and texture of the same vertebrae.
    software
        The program that answers.
    """
    textures = {entry.level: entry for entry in texture.vertebrae}
    measured = sorted(report.vertebrae, key=lambda vertebra: vertebra.level.rank)
    vertebrae = tuple(_vertebra(entry, textures.get(entry.level)) for entry in measured)
    model = report.segmentation.model
    preset = texture.preset
    return Findings(
        status="analysed",
        source=_source(volume.source, volume),
        software_name=software.name,
        software_version=software.version,
        model=ModelFindings(model.name, model.version, model.sha256),
        texture_preset=PresetFindings(
            preset.name, float(preset.voxel_mm), int(preset.levels), int(preset.histogram_bins)
        ),
        warnings=_warnings(volume, report, texture),
        vertebrae=vertebrae,
        spine=_spine(texture, vertebrae),
    )


def not_analysable(
    source: SourceSeries | None,
    reasons: tuple[Notice, ...],
    software: SoftwareIdentity,
    warnings: tuple[Notice, ...] = (),
) -> Findings:
    """Return the answer to an input that was understood but must not be analysed."""
    return Findings(
        status="not_analysable",
        source=_source(source or SourceSeries(), None),
        software_name=software.name,
        software_version=software.version,
        reasons=reasons,
        warnings=warnings,
    )


def _source(source: SourceSeries, volume: CTVolume | None) -> SourceFindings:
    instances = sorted({frame.SOPInstanceUID for frame in source.frames})
    spacing = None
    if volume is not None:
        k, j, i = volume.spacing_kji_mm
        spacing = (round(k, 4), round(j, 4), round(i, 4))
    identity = instances or [source.SeriesInstanceUID or ""]
    return SourceFindings(
        study_instance_uid=source.StudyInstanceUID,
        series_instance_uid=source.SeriesInstanceUID,
        sop_class_uid=source.SOPClassUID,
        instances=len(instances),
        shape_kji=volume.shape_kji if volume is not None else None,
        spacing_mm=spacing,
        digest=hashlib.sha256("\n".join(identity).encode()).hexdigest(),
    )


def _vertebra(
    measurement: VertebraMeasurement, texture: VertebraTexture | None
) -> VertebraFindings:
    heights, fracture = measurement.heights_mm, measurement.fracture
    hu = texture.hu if texture else None
    x, y, z = (round(float(v), 2) + 0.0 for v in measurement.centroid_lps_mm)
    findings = VertebraFindings(
        level=VertebraLevel(measurement.level),
        complete=bool(measurement.complete),
        confidence=rounded(measurement.confidence, 3) or 0.0,
        centroid_lps_mm=(x, y, z),
        volume_ml=rounded(measurement.volume_ml, 2),
        heights_mm=HeightFindings(
            rounded(heights.anterior, 2), rounded(heights.middle, 2), rounded(heights.posterior, 2)
        )
        if heights
        else HeightFindings(),
        height_loss=rounded_loss(fracture.height_loss) if fracture else None,
        genant=GenantFindings(int(fracture.grade), fracture.type) if fracture else GenantFindings(),
        fractured=bool(fracture.fractured) if fracture else None,
        hu=HUFindings(rounded(hu.mean, 1), rounded(hu.median, 1), rounded(hu.sd, 1))
        if hu
        else HUFindings(),
        bmd_mg_cm3=rounded_bmd(texture.bmd_mg_cm3) if texture else None,
        features={
            key: significant(texture.features.get(key)) if texture else None for key in FEATURE_KEYS
        },
        flags=tuple(measurement.flags),
        height_uncertainty_mm=rounded(measurement.height_uncertainty_mm, 2),
        fracture_sentence=fracture.sentence if fracture else "",
        fracture_confidence=rounded(fracture.confidence, 3) if fracture else None,
        height_reference=ReferenceFindings(
            rounded(fracture.reference_height_mm, 2), fracture.reference
        )
        if fracture
        else ReferenceFindings(),
        shape=shape_findings(measurement),
    )
    given = {**measurement.unavailable, **(texture.unavailable if texture else {})}
    findings.unavailable.update(_unavailable(findings, given))
    return findings


def _unavailable(vertebra: VertebraFindings, given: dict[str, str]) -> dict[str, str]:
    """Every field without a value gets a reason, and no field with one does."""
    values = {
        "heights_mm": vertebra.heights_mm.anterior,
        "height_loss": vertebra.height_loss,
        "genant": vertebra.genant.grade,
        "volume_ml": vertebra.volume_ml,
        "hu": vertebra.hu.mean,
        "bmd_mg_cm3": vertebra.bmd_mg_cm3,
    }
    reasons = {
        field: given.get(field, NO_REASON_GIVEN) for field, value in values.items() if value is None
    }
    missing = [key for key in FEATURE_KEYS if finite(vertebra.features[key]) is None]
    if len(missing) == len(FEATURE_KEYS):
        first = next((given[key] for key in ("features", *FEATURE_KEYS) if key in given), None)
        reasons["features"] = first or NO_REASON_GIVEN
    else:
        reasons |= {key: given.get(key, NO_REASON_GIVEN) for key in missing}
    return reasons


def _spine(texture: TextureReport, vertebrae: tuple[VertebraFindings, ...]) -> SpineFindings:
    density = texture.spine
    return SpineFindings(
        bmd_mg_cm3=rounded_bmd(density.bmd_mg_cm3),
        bmd_levels=tuple(level.name for level in density.bmd_levels),
        bmd_class=density.bmd_class,
        fractured_levels=tuple(v.label for v in vertebrae if v.fractured),
        contrast_phase=density.contrast_phase,
        calibration=density.calibration,
    )


def _warnings(volume: CTVolume, report: SpineReport, texture: TextureReport) -> tuple[Notice, ...]:
    segmentation = report.segmentation
    notices = [
        *volume.warnings, *segmentation.warnings, *report.warnings, *texture.warnings,
    ]  # fmt: skip
    if not volume.source.frames:
        notices.append(NO_DICOM_SOURCE)
    elif not can_be_named(volume.source):
        notices.append(NO_IDENTITY)
    elif not len(occupied_slices(segmentation.labels)):
        notices.append(EMPTY_SEGMENTATION)
    return tuple(dict.fromkeys(notices))
