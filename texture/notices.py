"""What a reader must know before trusting the density of a spine."""

from __future__ import annotations

from inference.volume import Acquisition, Notice
from texture.calibration import Calibration
from texture.conversion import Conversion, Corrections
from texture.density import REFERENCE_LEVELS
from texture.report import SpineDensity


def density_notices(
    spine: SpineDensity, acquisition: Acquisition, calibration: Calibration | None
) -> tuple[Notice, ...]:
    """Remarks on calibration, tube voltage and levels.

    Parameters
    ----------
    calibration
        Of this scanner; None if there is none and the generic one was used.
    """
    notices = []
    if calibration is None:
        notices.append(
            Notice(
                "bmd_generic_calibration",
                "Bone density uses a generic calibration, not one measured on this scanner.",
            )
        )
        if acquisition.KVP is None:
            notices.append(
                Notice(
                    "bmd_kvp_unknown", "The tube voltage is unknown; bone density assumes 120 kV."
                )
            )
    notices.extend(_on_levels(spine))
    return tuple(notices)


def conversion_notices(
    conversion: Conversion, corrections: Corrections, phase: str | None
) -> tuple[Notice, ...]:
    """Remarks on contrast agent and on the scan's own scale."""
    notices = []
    if phase not in (None, "native"):
        named = f"Contrast agent ({str(phase).replace('_', ' ')} phase) raises HU and bone density"
        offset = conversion.contrast_offset_hu
        done = (
            f": {offset:.1f} HU were taken off for bone density, the mean of Pompe et al. 2015; "
            "single patients differ."
            if offset
            else "; bone density is not corrected for it."
        )
        notices.append(Notice("contrast_enhanced", named + done))
    if corrections.internal and conversion.scale is None:
        text = "Air, fat and muscle could not set the HU scale: bone density uses HU as they are."
        notices.append(Notice("internal_calibration_failed", text))
    return tuple(notices)


def _on_levels(spine: SpineDensity) -> list[Notice]:
    if not spine.bmd_levels:
        text = "No complete, unfractured vertebra has a bone density, so the spine has none."
        return [Notice("bmd_unavailable", text)]
    if set(spine.bmd_levels) & set(REFERENCE_LEVELS):
        return []
    names = ", ".join(level.name for level in spine.bmd_levels)
    text = (
        f"None of L1-L3 could be measured; the spine's bone density is the mean of {names}, to "
        "which the limits of 80 and 120 mg/cm3 do not strictly apply."
    )
    return [Notice("bmd_other_levels", text)]
