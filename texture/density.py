"""Density (see extract)."""

from texture.calibration import GENERIC_CALIBRATION, Calibration

__all__ = ["GENERIC_CALIBRATION", "Calibration"]
