"""Why a series is left out by `rules:`, and how urgent one is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from service.config import RulesConfig
from service.patterns import first_match
from service.priority import BACKFILL_PRIORITY, STAT_PRIORITY
from service.series_facts import SeriesFacts


@dataclass(frozen=True)
class LeftOut:
    """The rule that leaves a series out, and what about the series did it."""

    rule: str
    text: str


Check = Callable[[SeriesFacts, RulesConfig], str]


def reason_to_leave_out(facts: SeriesFacts, rules: RulesConfig) -> LeftOut | None:
    """The first rule that leaves a series out, or None."""
    return next(_broken(facts, rules), None)


def _broken(facts: SeriesFacts, rules: RulesConfig) -> Iterator[LeftOut]:
    for rule, check in _CHECKS:
        text = check(facts, rules)
        if text:
            yield LeftOut(rule, text)


def urgency(facts: SeriesFacts, rules: RulesConfig, calling_ae_title: str) -> int:
    """The priority of a series; stat if anything says so, backfill only where nothing does."""
    calling = calling_ae_title.strip()
    stat = first_match(rules.stat_description, facts.SeriesDescription)
    if stat is not None or calling in rules.stat_calling_ae_titles:
        return STAT_PRIORITY
    if calling in rules.backfill_calling_ae_titles and facts.priority != STAT_PRIORITY:
        return BACKFILL_PRIORITY
    return facts.priority


def _too_few(facts: SeriesFacts, rules: RulesConfig) -> str:
    if facts.images >= rules.min_instances:
        return ""
    return f"{facts.images} images, rules.min_instances is {rules.min_instances}"


def _other_modality(facts: SeriesFacts, rules: RulesConfig) -> str:
    # A file that nobody can read has none; the geometry gate says what is wrong with it.
    if not facts.Modality or facts.Modality in rules.modalities:
        return ""
    return f"Modality {facts.Modality} is not in rules.modalities"


def _excluded(facts: SeriesFacts, rules: RulesConfig) -> str:
    pattern = first_match(rules.exclude_description, facts.SeriesDescription)
    return f"rules.exclude_description {pattern!r}" if pattern is not None else ""


def _not_included(facts: SeriesFacts, rules: RulesConfig) -> str:
    wanted = rules.include_description
    if not wanted or first_match(wanted, facts.SeriesDescription) is not None:
        return ""
    return "the description fits nothing in rules.include_description"


def _excluded_kernel(facts: SeriesFacts, rules: RulesConfig) -> str:
    pattern = first_match(rules.exclude_kernel, facts.kernel) if facts.kernel else None
    return f"kernel {facts.kernel}, rules.exclude_kernel {pattern!r}" if pattern is not None else ""


def _not_included_kernel(facts: SeriesFacts, rules: RulesConfig) -> str:
    wanted = rules.include_kernel
    if not wanted or first_match(wanted, facts.kernel) is not None:
        return ""
    return f"kernel {facts.kernel or 'not given'}, which fits nothing in rules.include_kernel"


def _too_thick(facts: SeriesFacts, rules: RulesConfig) -> str:
    limit, thickness = rules.max_slice_thickness_mm, facts.thickness_mm
    if limit is None or thickness is None or thickness <= limit:
        return ""
    return f"SliceThickness {thickness:g} mm, rules.max_slice_thickness_mm is {limit:g}"


def _other_orientation(facts: SeriesFacts, rules: RulesConfig) -> str:
    if not facts.orientation or facts.orientation in rules.orientations:
        return ""
    return f"{facts.orientation} slices, which rules.orientations does not list"


_CHECKS: tuple[tuple[str, Check], ...] = (
    ("min_instances", _too_few),
    ("modalities", _other_modality),
    ("exclude_description", _excluded),
    ("include_description", _not_included),
    ("exclude_kernel", _excluded_kernel),
    ("include_kernel", _not_included_kernel),
    ("max_slice_thickness_mm", _too_thick),
    ("orientations", _other_orientation),
)
