"""From HU to bone mineral density: one straight line per scanner and tube voltage.

``HU = intercept + slope * bmd``, BMD in mg/cm3 of hydroxyapatite in water. Coefficients of a
scanner come from a phantom measured on that scanner and are entered in the configuration; none
are shipped. `GENERIC_CALIBRATION` is the named fallback, derived from attenuation coefficients
and not from any scanner.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from inference.volume import Acquisition
from texture.errors import SettingsError

GENERIC_KVP = 120.0
GENERIC_KVP_TOLERANCE = 10.0
"""Beyond this distance from 120 kVp the generic slope is wrong by more than about 10 %."""


@dataclass(frozen=True)
class Calibration:
    """``HU = intercept + slope * bmd``; slope in HU per mg/cm3, intercept in HU.

    Raises
    ------
    SettingsError
        If the slope is not positive or a number is not finite.
    """

    name: str
    slope: float
    intercept: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.slope) and math.isfinite(self.intercept) and self.slope > 0):
            raise SettingsError(
                f"calibration {self.name!r}: slope {self.slope} must be positive and intercept "
                f"{self.intercept} finite"
            )

    def bmd_mg_cm3(self, hu: float) -> float:
        """BMD in mg/cm3 of a mean attenuation in HU."""
        return (hu - self.intercept) / self.slope

    def hu(self, bmd_mg_cm3: float) -> float:
        """Attenuation in HU of a BMD in mg/cm3."""
        return self.intercept + self.slope * bmd_mg_cm3


GENERIC_CALIBRATION = Calibration(name="generic-120kvp", slope=1.33, intercept=0.0)
"""Hydroxyapatite in water at 70 keV, the usual effective energy of a 120 kVp beam.

slope = (mu/rho of hydroxyapatite)/(mu of water) - 1/(3.16 g/cm3) = 0.319/0.1937 - 0.316 = 1.33;
intercept 0 because water is 0 HU. Mass attenuation coefficients: NIST X-ray attenuation tables.
"""


@dataclass(frozen=True)
class ScannerCalibration:
    """A row of the configured table; None matches every value of that attribute."""

    calibration: Calibration
    Manufacturer: str | None = None
    ManufacturerModelName: str | None = None
    KVP: float | None = None

    def matches(self, acquisition: Acquisition) -> bool:
        """Whether every attribute given here equals the acquisition's (text without case)."""
        return (
            _same_text(self.Manufacturer, acquisition.Manufacturer)
            and _same_text(self.ManufacturerModelName, acquisition.ManufacturerModelName)
            and (self.KVP is None or self.KVP == acquisition.KVP)
        )

    @property
    def specificity(self) -> int:
        """How many attributes this row pins down."""
        pinned = (self.Manufacturer, self.ManufacturerModelName, self.KVP)
        return sum(value is not None for value in pinned)


def select_calibration(
    table: Iterable[ScannerCalibration], acquisition: Acquisition
) -> Calibration | None:
    """Most specific matching row of the configured table (the first of equals), or None."""
    matching = [row for row in table if row.matches(acquisition)]
    if not matching:
        return None
    return max(matching, key=lambda row: row.specificity).calibration


def generic_obstacle(acquisition: Acquisition) -> str | None:
    """Why `GENERIC_CALIBRATION` must not be used at this tube voltage, or None.

    An unknown tube voltage is no obstacle; `texture.notices` remarks on it.
    """
    kvp = acquisition.KVP
    if kvp is None or abs(kvp - GENERIC_KVP) <= GENERIC_KVP_TOLERANCE:
        return None
    return f"no calibration is configured for {kvp:g} kVp, and the generic one is for 120 kVp"


def _same_text(wanted: str | None, found: str | None) -> bool:
    if wanted is None:
        return True
    return found is not None and wanted.strip().casefold() == found.strip().casefold()
