"""What a reader must know before trusting the density of a spine."""

from __future__ import annotations

from inference.volume import Acquisition, Notice
from texture.calibration import Calibration
from texture.density import REFERENCE_LEVELS
from texture.report import SpineDensity


def density_notices(
    spine: SpineDensity, acquisition: Acquisition, calibration: Calibration | None
) -> tuple[Notice, ...]:
    """Remarks on calibration, tube voltage, levels and contrast agent.

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
                f"BMD uses the generic calibration {spine.calibration}, not one measured on this "
                "scanner.",
            )
        )
        if acquisition.KVP is None:
            notices.append(
                Notice("bmd_kvp_unknown", "The tube voltage is unknown; BMD assumes 120 kVp.")
            )
    notices.extend(_on_levels(spine))
    if spine.contrast_phase not in (None, "native"):
        phase = str(spine.contrast_phase).replace("_", " ")
        notices.append(
            Notice("contrast_enhanced", f"Contrast agent ({phase} phase) raises HU and BMD.")
        )
    return tuple(notices)


def _on_levels(spine: SpineDensity) -> list[Notice]:
    if not spine.bmd_levels:
        text = "No complete, unfractured vertebra has a bone density, so the spine has none."
        return [Notice("bmd_unavailable", text)]
    if set(spine.bmd_levels) & set(REFERENCE_LEVELS):
        return []
    names = ", ".join(level.name for level in spine.bmd_levels)
    text = (
        f"None of L1-L3 could be measured; the spine's BMD is the mean of {names}, to which the "
        "limits of 80 and 120 mg/cm3 do not strictly apply."
    )
    return [Notice("bmd_other_levels", text)]
