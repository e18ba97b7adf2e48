"""What is reported of one vertebra: numbers, flags, and reasons for what is missing."""

from __future__ import annotations

from collections.abc import Iterator

from inference.anatomy import VertebraLevel
from inference.body_geometry import MeasuredBody, volume_ml
from inference.fracture import GRADED_REGIONS
from inference.report import FractureFinding, Measured, VertebraMeasurement
from inference.vertebra_parts import VertebraParts

CUT_FLAG = "cut_by_field_of_view"
FOREIGN_FLAG = "foreign_material"
NO_BODY_FLAG = "body_not_separated"
PIT_FLAG = "schmorl_like_pit"
IMPLAUSIBLE_FLAG = "implausible_heights"
CUT_REASON = "the vertebra is cut by the edge of the scan"
NO_BODY_REASON = "no vertebral body could be told apart from the arch"
NO_HEIGHTS = frozenset({VertebraLevel.C1, VertebraLevel.C2})


def measurement(
    parts: VertebraParts,
    body: MeasuredBody | None,
    finding: FractureFinding | None,
    flags: tuple[str, ...],
    implausible: str | None,
) -> VertebraMeasurement:
    """Entry of one vertebra.

    Parameters
    ----------
    body, finding
        None where the vertebra has no heights or is not graded.
    flags
        What others found; those that follow from `parts` and `body` are added.
    implausible
        Why the heights that were read are not believed, or None.
    """
    unavailable: dict[str, str] = {}
    if body is None or implausible is not None:
        reason = implausible or _why_no_heights(parts, flags)
        unavailable = dict.fromkeys(("heights_mm", "height_loss", "genant"), reason)
        body = None
    elif finding is None:
        reason = f"graded in regions {' and '.join(GRADED_REGIONS)} only"
        unavailable = dict.fromkeys(("height_loss", "genant"), reason)
    volume, no_volume = _volume(parts)
    if no_volume:
        unavailable["volume_ml"] = no_volume
    x, y, z = (float(value) for value in parts.centroid_lps_mm)
    return VertebraMeasurement(
        level=parts.found.level,
        confidence=parts.found.confidence,
        complete=parts.complete,
        centroid_lps_mm=(x, y, z),
        volume_ml=None if volume is None else volume.value,
        heights_mm=None if body is None else body.heights_mm,
        fracture=finding,
        unavailable=unavailable,
        flags=(*_own_flags(parts, body, implausible), *flags),
        height_uncertainty_mm=None if body is None else body.height_uncertainty_mm,
        geometry=None if body is None else body.geometry,
        volume_sd_ml=None if volume is None else volume.sd,
    )


def _volume(parts: VertebraParts) -> tuple[Measured | None, str | None]:
    if not parts.complete:
        return None, CUT_REASON
    if parts.surface is None:
        return None, NO_BODY_REASON
    return volume_ml(parts.surface), None


def _own_flags(
    parts: VertebraParts, body: MeasuredBody | None, implausible: str | None
) -> Iterator[str]:
    # a body that lies outside the scan is missing for that reason, not for a failed separation
    if not parts.complete:
        yield CUT_FLAG
    elif parts.surface is None:
        yield NO_BODY_FLAG
    if implausible is not None:
        yield IMPLAUSIBLE_FLAG
    if body is not None and body.pits:
        yield PIT_FLAG


def _why_no_heights(parts: VertebraParts, flags: tuple[str, ...]) -> str:
    if not parts.complete:
        return CUT_REASON
    if parts.found.level in NO_HEIGHTS:
        return f"{parts.found.level.name} has no body with two endplates"
    if parts.surface is None:
        return NO_BODY_REASON
    if FOREIGN_FLAG in flags:
        return "metal or cement hides the endplates"
    return "the endplates could not be followed"
