"""The best of several series that show the same part of a patient, and why it is the best.

The criteria of ``rules.prefer`` are compared one after the other; the first that tells two series
apart decides, and is what the reason names. Bone density and texture are biased by sharp kernels,
a reformat inherits the slices of its source, and a short series misses levels: hence the default
order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from service.config.rules import Criterion, RulesConfig
from service.kernels import kernel_class
from service.patterns import place_among
from service.series_facts import SeriesFacts

_AS_LONG = 0.9
"""A series that covers this part of the longest one is not shorter in a way that matters."""
_THIN_MM = (1.5, 2.5, 3.5)
"""Classes of slice thickness: the network works at 2 mm, thinner than the first gains nothing."""
_SAME_REGION = 0.5
"""Two series show the same region if this part of the shorter one lies within the other."""
_PLANES = ("axial", "sagittal", "coronal")


@dataclass(frozen=True)
class Candidate:
    """One series that the rules admit."""

    SeriesInstanceUID: str
    facts: SeriesFacts


@dataclass(frozen=True)
class Choice:
    """The series taken, and for every other one why it was not."""

    best: Candidate
    others: tuple[tuple[Candidate, str], ...]


Rank = Callable[[SeriesFacts, RulesConfig, float], float]
Shown = Callable[[SeriesFacts], str]


def choose(candidates: Sequence[Candidate], rules: RulesConfig) -> Choice:
    """Choose among series of one region; every order of the candidates gives the same choice."""
    longest_mm = max((c.facts.covered_mm or 0.0 for c in candidates), default=0.0)
    ranked = sorted(candidates, key=lambda c: _key(c, rules, longest_mm))
    best = ranked[0]
    reasons = tuple((other, _why(best, other, rules, longest_mm)) for other in ranked[1:])
    return Choice(best, reasons)


def regions(candidates: Sequence[Candidate]) -> tuple[tuple[Candidate, ...], ...]:
    """Group series by the part of the patient they show: a neck and a loin are both wanted.

    The longest series of a group is compared with; a series whose place is unknown belongs to
    the first group.
    """
    groups: list[list[Candidate]] = []
    order = sorted(candidates, key=lambda c: (-(c.facts.covered_mm or 0.0), c.SeriesInstanceUID))
    for candidate in order:
        home = next((g for g in groups if _same_region(g[0].facts, candidate.facts)), None)
        if home is None:
            groups.append([candidate])
        else:
            home.append(candidate)
    return tuple(tuple(group) for group in groups)


def _same_region(one: SeriesFacts, other: SeriesFacts) -> bool:
    if one.from_z_mm is None or one.to_z_mm is None:
        return True
    if other.from_z_mm is None or other.to_z_mm is None:
        return True
    apart = one.FrameOfReferenceUID != other.FrameOfReferenceUID
    named = {one.BodyPartExamined, other.BodyPartExamined} - {""}
    if apart and len(named) > 1:
        return False  # moved between two scans: positions do not compare, names do
    shared = min(one.to_z_mm, other.to_z_mm) - max(one.from_z_mm, other.from_z_mm)
    shorter = min(one.to_z_mm - one.from_z_mm, other.to_z_mm - other.from_z_mm)
    return shared >= _SAME_REGION * shorter


def _key(candidate: Candidate, rules: RulesConfig, longest_mm: float) -> tuple[object, ...]:
    facts = candidate.facts
    ranks = [_CRITERIA[name][0](facts, rules, longest_mm) for name in rules.prefer]
    return (*ranks, -facts.images, facts.SeriesNumber, candidate.SeriesInstanceUID)


def _why(best: Candidate, other: Candidate, rules: RulesConfig, longest_mm: float) -> str:
    for name in rules.prefer:
        rank, shown = _CRITERIA[name]
        if rank(best.facts, rules, longest_mm) != rank(other.facts, rules, longest_mm):
            return f"{name}: {shown(best.facts)} before {shown(other.facts)}"
    if best.facts.images != other.facts.images:
        return f"images: {best.facts.images} before {other.facts.images}"
    return (
        f"alike, lower series number: {best.facts.SeriesNumber} before {other.facts.SeriesNumber}"
    )


def _coverage(facts: SeriesFacts, rules: RulesConfig, longest_mm: float) -> float:
    del rules
    return 0 if (facts.covered_mm or 0.0) >= _AS_LONG * longest_mm else 1


def _thickness(facts: SeriesFacts, rules: RulesConfig, longest_mm: float) -> float:
    del rules, longest_mm
    if facts.thickness_mm is None:
        return len(_THIN_MM)
    return sum(facts.thickness_mm > limit for limit in _THIN_MM)


def _plane(facts: SeriesFacts, rules: RulesConfig, longest_mm: float) -> float:
    del rules, longest_mm
    return _PLANES.index(facts.orientation) if facts.orientation in _PLANES else len(_PLANES)


def _kernel(facts: SeriesFacts, rules: RulesConfig, longest_mm: float) -> float:
    del longest_mm
    if rules.prefer_kernel:
        return place_among(rules.prefer_kernel, facts.kernel)
    return {"smooth": 0, "sharp": 2}.get(kernel_class(facts.kernel), 1)


def _contrast(facts: SeriesFacts, rules: RulesConfig, longest_mm: float) -> float:
    del rules, longest_mm
    return float(facts.contrast)


def _original(facts: SeriesFacts, rules: RulesConfig, longest_mm: float) -> float:
    del rules, longest_mm
    return float(not facts.original)


def _millimetres(value: float | None, digits: int) -> str:
    return "unknown" if value is None else f"{value:.{digits}f} mm"


_CRITERIA: dict[Criterion, tuple[Rank, Shown]] = {
    "coverage": (_coverage, lambda f: f"{_millimetres(f.covered_mm, 0)} of the patient"),
    "thickness": (_thickness, lambda f: f"{_millimetres(f.thickness_mm, 1)} slices"),
    "plane": (_plane, lambda f: f.orientation or "unknown plane"),
    "kernel": (_kernel, lambda f: f"{f.kernel or 'no kernel named'} ({kernel_class(f.kernel)})"),
    "contrast": (_contrast, lambda f: "contrast agent" if f.contrast else "no contrast agent"),
    "original": (_original, lambda f: "original" if f.original else "derived"),
}
