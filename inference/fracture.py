"""Genant grade and type from heights, by the definitions of Löffler et al. 2020 (VerSe).

Loss = 1 - smallest height / reference; grade 1 from 20 %, 2 from 25 %, 3 from 40 %. The reference
is the vertebra's own posterior height, or what its neighbours let expect where the posterior
height itself is lost or far too high. Grades are read in the thoracic and lumbar spine only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from statistics import NormalDist

from inference.anatomy import VertebraLevel
from inference.deformity import (
    SHORT_REMARK,
    is_short_vertebra,
    scheuermann_series,
    series_remark,
)
from inference.expected_heights import reference_heights_mm
from inference.report import FractureFinding, Heights

GRADE_FROM_LOSS = (0.20, 0.25, 0.40)
"""Smallest loss of grades 1, 2 and 3."""
UNIFORM_LOSS_SPREAD = 0.08
"""Crush if the three losses differ by no more than this, though another is the largest."""
GRADED_REGIONS = ("T", "L")
DEFAULT_UNCERTAINTY_MM = 0.5
_SITES = ("anterior", "middle", "posterior")
_TYPE_OF_SITE = {"anterior": "wedge", "middle": "biconcave", "posterior": "crush"}


def grade(
    heights_mm: Mapping[VertebraLevel, Heights],
    uncertainty_mm: Mapping[VertebraLevel, float] | None = None,
) -> dict[VertebraLevel, FractureFinding]:
    """Fracture finding of every thoracic and lumbar level in `heights_mm`.

    Parameters
    ----------
    heights_mm
        Heights of complete vertebrae; every level present counts as a neighbour.
    uncertainty_mm
        Standard uncertainty of one height per level.
    """
    references = reference_heights_mm(heights_mm)
    findings = {}
    for level in sorted(heights_mm, key=lambda v: v.rank):
        if level.region in GRADED_REGIONS:
            spread = (uncertainty_mm or {}).get(level, DEFAULT_UNCERTAINTY_MM)
            findings[level] = _finding(level, heights_mm[level], references.get(level), spread)
    series = scheuermann_series(heights_mm)
    for level, finding in findings.items():
        remarks = [series_remark(series)] if level in series else []
        if is_short_vertebra(level, heights_mm[level], finding):
            remarks.append(SHORT_REMARK)
        findings[level] = with_remark(finding, " ".join(remarks))
    return findings


def with_remark(finding: FractureFinding, remark: str) -> FractureFinding:
    """The finding with one more sentence; itself if there is nothing to say."""
    return replace(finding, sentence=f"{finding.sentence} {remark}") if remark else finding


def grade_of_loss(height_loss: float) -> int:
    """Genant grade of a height loss (0 to 1)."""
    return sum(1 for threshold in GRADE_FROM_LOSS if height_loss >= threshold)


def _finding(
    level: VertebraLevel, heights: Heights, neighbours_mm: float | None, uncertainty_mm: float
) -> FractureFinding:
    reference_mm = heights.posterior if neighbours_mm is None else neighbours_mm
    losses = {site: 1.0 - float(getattr(heights, site)) / reference_mm for site in _SITES}
    loss = max(0.0, *losses.values())
    number = grade_of_loss(loss)
    kind = _type(losses) if number else "none"
    name = "posterior" if neighbours_mm is None else "neighbours"
    return FractureFinding(
        height_loss=loss,
        grade=number,
        type=kind,
        reference_height_mm=reference_mm,
        reference=name,
        sentence=_sentence(level, heights, losses, (number, kind, name, reference_mm)),
        confidence=_confidence(loss, uncertainty_mm, reference_mm),
    )


def _type(losses: Mapping[str, float]) -> str:
    if max(losses.values()) - min(losses.values()) <= UNIFORM_LOSS_SPREAD:
        return "crush"
    return _TYPE_OF_SITE[max(_SITES, key=lambda site: losses[site])]


def _confidence(loss: float, uncertainty_mm: float, reference_mm: float) -> float:
    """Probability, by the heights' uncertainty alone, to be on this side of the 20 % line."""
    spread = uncertainty_mm * (1.0 + (1.0 - loss) ** 2) ** 0.5 / reference_mm
    distance = abs(loss - GRADE_FROM_LOSS[0])
    return NormalDist().cdf(distance / max(spread, 1e-6))


def _sentence(
    level: VertebraLevel,
    heights: Heights,
    losses: Mapping[str, float],
    verdict: tuple[int, str, str, float],
) -> str:
    number, kind, name, reference_mm = verdict
    site = max(_SITES, key=lambda s: losses[s])
    percent = _percent(losses[site])
    against = _against(name, reference_mm, heights.posterior)
    if percent == 0:
        return f"{level.name}: no height below {against}: no fracture."
    what = f"{level.name}: {site} height {_shown(getattr(heights, site))} mm, {percent} % below"
    return f"{what} {against}: {f'grade {number} {kind}' if number else 'no fracture'}."


def _against(name: str, reference_mm: float, posterior_mm: float) -> str:
    if name == "posterior":
        return f"posterior {_shown(reference_mm)} mm"
    if posterior_mm > reference_mm:
        return f"the {_shown(reference_mm)} mm that its neighbours let expect at most"
    return f"the {_shown(reference_mm)} mm expected from its neighbours"


def _percent(loss: float) -> int:
    """Whole per cent that no reader takes for another grade: 19.6 % is not printed as 20 %."""
    shown = round(100.0 * max(0.0, loss))
    return shown if grade_of_loss(shown / 100.0) == grade_of_loss(loss) else int(100.0 * loss)


def _shown(height_mm: float) -> str:
    """One decimal of the hundredths that are reported: rounding twice ends at the same digit."""
    return f"{round(height_mm, 2):.1f}"
