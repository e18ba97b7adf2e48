"""Shape of a body from measurement to findings, and from findings.json back."""

from __future__ import annotations

from typing import Any

from inference.report import Measured, VertebraMeasurement
from sr_writer.findings_schema import (
    AngleFindings,
    HeightFindings,
    LateralFindings,
    ShapeFindings,
)
from sr_writer.rounding import rounded


def shape_findings(measurement: VertebraMeasurement) -> ShapeFindings:
    """Rounded as it is reported; empty where nothing was measured."""
    volume_sd = rounded(measurement.volume_sd_ml, 2)
    geometry = measurement.geometry
    if geometry is None:
        return ShapeFindings(volume_sd_ml=volume_sd)
    spread = geometry.height_sd_mm
    return ShapeFindings(
        heights_sd_mm=HeightFindings(
            rounded(spread.anterior, 2), rounded(spread.middle, 2), rounded(spread.posterior, 2)
        ),
        lateral_heights_mm=LateralFindings(_value(geometry.left_mm), _value(geometry.right_mm)),
        lateral_heights_sd_mm=LateralFindings(_sd(geometry.left_mm), _sd(geometry.right_mm)),
        endplate_angles_deg=AngleFindings(
            _value(geometry.sagittal_angle_deg, 1), _value(geometry.coronal_angle_deg, 1)
        ),
        endplate_angles_sd_deg=AngleFindings(
            _sd(geometry.sagittal_angle_deg, 1), _sd(geometry.coronal_angle_deg, 1)
        ),
        volume_sd_ml=volume_sd,
    )


def shape_from_json(entry: dict[str, Any] | None) -> ShapeFindings:
    """The same from a document; empty for one that has no ``shape``."""
    if entry is None:
        return ShapeFindings()
    return ShapeFindings(
        heights_sd_mm=HeightFindings(**entry["heights_sd_mm"]),
        lateral_heights_mm=LateralFindings(**entry["lateral_heights_mm"]),
        lateral_heights_sd_mm=LateralFindings(**entry["lateral_heights_sd_mm"]),
        endplate_angles_deg=AngleFindings(**entry["endplate_angles_deg"]),
        endplate_angles_sd_deg=AngleFindings(**entry["endplate_angles_sd_deg"]),
        volume_sd_ml=entry["volume_sd_ml"],
    )


def _value(measured: Measured | None, decimals: int = 2) -> float | None:
    return None if measured is None else rounded(measured.value, decimals)


def _sd(measured: Measured | None, decimals: int = 2) -> float | None:
    return None if measured is None else rounded(measured.sd, decimals)
