"""Findings in the words a radiologist would use; shared by SR, narrative, PDF and picture.

Texts are ASCII: they go into objects that keep the source's character set, whatever it is.
"""

from __future__ import annotations

import unicodedata

from inference.supplied_mask import MODEL_NAME as SUPPLIED_MASK
from sr_writer.findings_schema import Findings, ModelFindings, SpineFindings, VertebraFindings
from sr_writer.settings import PredecessorObject
from texture.calibration import GENERIC_CALIBRATION

RESEARCH_USE = "Research use only. Not for diagnosis."
NEIGHBOURS_MARK = "*"
NOTHING_MADE = "No outlines, levels or measurements were made from this series."

GRADE_WORDS = {0: "none", 1: "mild", 2: "moderate", 3: "severe"}
"""Grade 0 to 3 in words (Genant 1993)."""

FIELD_WORDS = {
    "heights_mm": "heights",
    "height_loss": "height loss",
    "genant": "fracture grade",
    "volume_ml": "volume",
    "hu": "HU",
    "bmd_mg_cm3": "bone density",
    "features": "texture",
}

FLAG_WORDS = {
    "foreign_material": "metal or cement",
    "cut_by_field_of_view": "cut by the edge of the scan",
    "body_not_separated": "body not told apart from the arch",
    "implausible_heights": "heights not believed",
    "scheuermann_like": "mild wedging in series, as in Scheuermann's disease",
    "schmorl_like_pit": "pit in an endplate, as a Schmorl's node",
    "short_vertebra": "possibly short by nature",
}

_CLASS_WORDS = {
    "normal": "normal (above 120 mg/cm3)",
    "osteopenia": "osteopenia (80 to 120 mg/cm3)",
    "osteoporosis": "osteoporosis (below 80 mg/cm3)",
}

_PHASE_WORDS = {
    "native": "none",
    "arterial": "arterial phase",
    "portal_venous": "portal venous phase",
    "late": "late phase",
    "unspecified": "given, phase unknown",
}

METHOD_LIMITS = (
    "Levels are named from the anatomy inside the field of view. A scan that shows neither the "
    "sacrum nor the ribs may be named one level off; the confidence of the names is given.",
    "Heights are measured between the endplates in the mid-sagittal slab of each body. Height "
    "loss is relative to the posterior height of the same vertebra, or to what its neighbours let "
    "expect where that height is itself lowered or far too high.",
    "Grades: 1 from 20 %, 2 from 25 %, 3 from 40 % height loss. Old and fresh fractures, "
    "malignant and benign ones, and deformities without fracture are not told apart.",
    "Bone density is estimated from CT numbers with the calibration named. Contrast agent raises "
    "it; it does not replace a calibrated measurement.",
    "Texture values depend on scanner, reconstruction kernel and slice thickness. Compare only "
    "values of the same protocol and the same settings.",
)


def grade_text(vertebra: VertebraFindings) -> str:
    """``wedge, grade 2 (moderate), height loss 31.0 %``; empty for an unfractured vertebra."""
    if not vertebra.fractured or vertebra.genant.grade is None:
        return ""
    words = f"{vertebra.genant.type}, grade {vertebra.genant.grade}"
    words += f" ({GRADE_WORDS[vertebra.genant.grade]})"
    return f"{words}, height loss {vertebra.height_loss_percent:.1f} %"


def conclusion(findings: Findings) -> str:
    """Return the one sentence that has to be read."""
    if not findings.analysed:
        why = "; ".join(reason.text.rstrip(".") for reason in findings.reasons) or "no reason given"
        return f"This series was not analysed: {why}."
    if not findings.vertebrae:
        return "No vertebra was found."
    judged = [vertebra for vertebra in findings.vertebrae if vertebra.fractured is not None]
    if not judged:
        return "No vertebra could be judged for fracture."
    if findings.flagged:
        named = "; ".join(f"{v.label} {grade_text(v)}" for v in findings.flagged)
        return f"Suspected vertebral fracture: {named}."
    counted = "the only vertebra" if len(judged) == 1 else f"the {len(judged)} vertebrae"
    return f"No height loss of 20 % or more in {counted} judged."


def loss_text(vertebra: VertebraFindings) -> str:
    """Height loss for a table; with `NEIGHBOURS_MARK` where the own heights do not give it."""
    mark = NEIGHBOURS_MARK if vertebra.height_reference.source == "neighbours" else ""
    return number(vertebra.height_loss_percent, 1) + mark


def loss_footnote(findings: Findings) -> str:
    """What the mark of `loss_text` means; empty where no level has it."""
    marked = any(v.height_reference.source == "neighbours" for v in findings.vertebrae)
    return f"{NEIGHBOURS_MARK} against the height expected from the neighbours." if marked else ""


def superseding(predecessor: PredecessorObject | None) -> str:
    """Say that a result replaces an earlier one, and why; empty where it does not."""
    if predecessor is None:
        return ""
    why = f": {predecessor.reason}" if predecessor.reason else ""
    return ascii_text(f"This report supersedes an earlier report of the same series{why}.")


def spine_density(spine: SpineFindings) -> str:
    """Return the density of the spine with levels, class and calibration."""
    if spine.bmd_mg_cm3 is None:
        return "Bone density of the spine: not available."
    levels = ", ".join(spine.bmd_levels)
    text = f"Bone density, mean of {levels}: {spine.bmd_mg_cm3:.1f} mg/cm3"
    if spine.bmd_class is not None:
        text += f", {_CLASS_WORDS.get(spine.bmd_class, spine.bmd_class)}"
    if spine.calibration:
        named = spine.calibration.replace(GENERIC_CALIBRATION.name, "generic for 120 kV")
        text += f". Calibration: {named}"
    if spine.contrast_phase:
        phase = _PHASE_WORDS.get(spine.contrast_phase, spine.contrast_phase.replace("_", " "))
        text += f". Contrast agent: {phase}"
    return ascii_text(text) + "."


def level_confidence(findings: Findings) -> str:
    """Say how sure the names of the levels are; empty without vertebrae."""
    percents = sorted(round(100 * vertebra.confidence) for vertebra in findings.vertebrae)
    if not percents:
        return ""
    low, high = percents[0], percents[-1]
    return f"Confidence of the level names: {low if low == high else f'{low} to {high}'} %."


def vertebra_line(vertebra: VertebraFindings) -> str:
    """One sentence per vertebra: fracture, heights, density, remarks."""
    parts = [f"suspected fracture, {grade_text(vertebra)}"] if vertebra.fractured else []
    parts += _numbers(vertebra) or ["not measured"]
    remarks = remark(vertebra)
    return f"{vertebra.label}: {', '.join(parts)}" + (f" ({remarks})" if remarks else "")


def _numbers(vertebra: VertebraFindings) -> list[str]:
    heights, parts = vertebra.heights_mm, []
    if vertebra.height_loss_percent is not None and not vertebra.fractured:
        parts.append(f"height loss {vertebra.height_loss_percent:.1f} %")
    if heights.anterior is not None:
        parts.append(
            f"heights {number(heights.anterior, 1)} / {number(heights.middle, 1)} / "
            f"{number(heights.posterior, 1)} mm"
        )
    if vertebra.bmd_mg_cm3 is not None:
        parts.append(f"bone density {vertebra.bmd_mg_cm3:.1f} mg/cm3")
    if vertebra.hu.mean is not None:
        parts.append(f"{vertebra.hu.mean:.1f} HU")
    return parts


def unavailable_lines(vertebra: VertebraFindings) -> list[str]:
    """``heights, height loss not available: ...``, one line per reason."""
    fields: dict[str, list[str]] = {}
    for name, reason in vertebra.unavailable.items():
        fields.setdefault(reason, []).append(FIELD_WORDS.get(name, name))
    return [
        ascii_text(f"{', '.join(names)} not available: {reason}")
        for reason, names in fields.items()
    ]


def remark(vertebra: VertebraFindings) -> str:
    """What is special about a vertebra, comma separated, each thing once."""
    flags = [FLAG_WORDS.get(flag, flag.replace("_", " ")) for flag in vertebra.flags]
    cut = FLAG_WORDS["cut_by_field_of_view"]
    if not vertebra.complete and cut not in flags:
        flags.insert(0, cut)
    return ", ".join(flags)


def model_text(findings: Findings) -> str:
    """Program and model with versions."""
    text = f"{findings.software_name} {findings.software_version}"
    if findings.model is not None:
        text += f", {origin_of_masks(findings.model)}"
    return text


def origin_of_masks(model: ModelFindings) -> str:
    """Which model drew the masks, or that they came from elsewhere."""
    if model.name == SUPPLIED_MASK:
        return SUPPLIED_MASK
    return f"model {model.name} {model.version}"


def preset_text(findings: Findings) -> str:
    """Texture settings in one line; empty without texture."""
    preset = findings.texture_preset
    if preset is None:
        return ""
    differences = "" if preset.name == "ibsi" else _DIFFERENCES_FROM_IBSI
    return (
        f"Texture settings {preset.name}: {preset.voxel_mm:g} mm voxels, {preset.levels} grey "
        f"levels, {preset.histogram_bins} histogram bins, co-occurrence and run-length matrices "
        f"merged over 13 directions{differences}"
    )


_DIFFERENCES_FROM_IBSI = (
    ". Other than in the IBSI reference, each direction counts by its step length, grey levels "
    "are assigned by rounding, and variance is in squared histogram bins"
)


def number(value: float | None, decimals: int) -> str:
    """Return a fixed number of decimals, or ``n/a``."""
    return "n/a" if value is None else f"{value:.{decimals}f}"


_REPLACEMENTS = {
    "–": "-", "—": "-", "−": "-", "×": "x", "≥": ">=", "≤": "<=", "²": "2", "³": "3",
    "°": " degrees", "±": "+/-", "µ": "u", "’": "'", "“": '"', "”": '"', "…": "...", "\u00a0": " ",
}  # fmt: skip


def unaccented(text: str) -> str:
    """Spell a name in ASCII, letters without their accents."""
    letters = unicodedata.normalize("NFKD", text)
    return ascii_text("".join(sign for sign in letters if not unicodedata.combining(sign)))


def ascii_text(text: str) -> str:
    """Spell typographic signs in ASCII and drop what has no spelling."""
    for sign, spelling in _REPLACEMENTS.items():
        text = text.replace(sign, spelling)
    return text.encode("ascii", "replace").decode("ascii")
