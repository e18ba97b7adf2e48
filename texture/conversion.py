"""From the measured HU of one scan to bone density, step by step, each step named.

1. Optionally the HU scale of the scan is set right on the patient's own air, fat and muscle.
2. What contrast agent adds to bone is taken off again.
3. The calibration of the scanner turns HU into mg/cm3.
"""

from __future__ import annotations

from dataclasses import dataclass

from texture.calibration import Calibration
from texture.internal_calibration import HUScale

CONTRAST_OFFSET_HU = {"arterial": 13.7, "portal_venous": 18.1}
"""What contrast agent adds to L1 on average: Pompe et al., Eur Radiol 2015;25:283. 99 patients
without malignancy: 128.8 HU native, 142.3 arterial, 147.0 portal venous; 53 with: 112.1, 126.2 and
130.1; weighted by patients. Single patients differ by more than this, so a corrected value stays
flagged. Other phases have no published offset and are not corrected."""


@dataclass(frozen=True)
class Corrections:
    """Which corrections a site wants before its calibration is applied."""

    contrast: bool = True
    internal: bool = False


DEFAULT_CORRECTIONS = Corrections()


@dataclass(frozen=True)
class Conversion:
    """How the HU of one scan become mg/cm3."""

    calibration: Calibration
    scale: HUScale | None = None
    contrast_phase: str | None = None
    """Phase whose offset is taken off; None takes off nothing."""

    @property
    def contrast_offset_hu(self) -> float:
        """HU taken off for contrast agent."""
        return CONTRAST_OFFSET_HU.get(self.contrast_phase or "", 0.0)

    def bmd_mg_cm3(self, hu: float) -> float:
        """BMD of a mean attenuation as measured."""
        on_scale = hu if self.scale is None else self.scale.corrected(hu)
        return self.calibration.bmd_mg_cm3(on_scale - self.contrast_offset_hu)

    @property
    def name(self) -> str:
        """The calibration and every correction, as results print it."""
        parts = [self.calibration.name]
        if self.scale is not None:
            parts.append(self.scale.name)
        if self.contrast_offset_hu:
            phase = str(self.contrast_phase).replace("_", " ")
            parts.append(f"{phase} contrast -{self.contrast_offset_hu:.1f} HU")
        return ", ".join(parts)
