"""The findings as coded observations, which HL7 v2 and FHIR write each in their own way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sr_writer import Findings

LOCAL_SYSTEM = "urn:spinenode:observation"
STUDY_CODE = ("18748-4", "Diagnostic imaging study")
"""LOINC."""
FRACTURE = ("vertebral-fracture", "Vertebral fracture (Genant)")
HEIGHT_LOSS = ("vertebral-height-loss", "Vertebral height loss")
BONE_DENSITY = ("spine-bone-density", "Trabecular bone density of the spine")


@dataclass(frozen=True)
class Observation:
    """One observation.

    Attributes
    ----------
    level
        The vertebra, or empty for the spine as a whole.
    value
        A text, or a number in `unit` (UCUM).
    """

    code: tuple[str, str]
    level: str
    value: str | float
    unit: str = ""


def observations(findings: Findings) -> Iterator[Observation]:
    """Flagged levels from head to foot, then the density."""
    for vertebra in findings.vertebrae:
        if not vertebra.fractured:
            continue
        text = f"{vertebra.genant.type}, Genant grade {vertebra.genant.grade}"
        yield Observation(FRACTURE, vertebra.label, text)
        if vertebra.height_loss is not None:
            yield Observation(
                HEIGHT_LOSS, vertebra.label, round(100 * vertebra.height_loss, 1), "%"
            )
    density = findings.spine.bmd_mg_cm3
    if density is not None:
        yield Observation(BONE_DENSITY, "", density, "mg/cm3")


def conclusion(findings: Findings) -> str:
    """One sentence."""
    flagged = [v.label for v in findings.vertebrae if v.fractured]
    if findings.status != "analysed":
        return "The series could not be analysed."
    if not flagged:
        return "No vertebral fracture flagged."
    return "Vertebral fracture flagged: " + ", ".join(flagged) + "."
