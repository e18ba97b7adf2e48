"""Genant grades against a reader's, vertebra by vertebra at the same place.

Names do not matter here: a fracture reported one level off is a found fracture under a wrong
name. `right_name` counts how many found fractures carry the right one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from inference.anatomy import VertebraLevel
from inference.evaluation.grade_file import Grades
from inference.evaluation.identification import Identification

FRACTURED_FROM = 1
FoundGrades = Mapping[VertebraLevel, int | None]
"""Grade of every found vertebra; None where the product gave none."""


@dataclass(frozen=True)
class GradedVertebra:
    """One vertebra that a reader graded; `found_grade` is None if it was missed or not graded."""

    level: VertebraLevel
    true_grade: int
    matched: VertebraLevel | None
    found_grade: int | None


@dataclass(frozen=True)
class CaseGrading:
    """Grades of one case.

    Attributes
    ----------
    vertebrae
        What the reader graded and the truth locates.
    invented_fractures
        Fractures flagged on vertebrae that do not exist: false positives.
    unjudged_fractures
        Fractures flagged on vertebrae that the reader did not grade: neither right nor wrong.
    not_located
        Graded by the reader, without a true centre in this image: left out.
    """

    vertebrae: tuple[GradedVertebra, ...]
    invented_fractures: int
    unjudged_fractures: int
    not_located: tuple[VertebraLevel, ...]

    @property
    def false_positives(self) -> int:
        """Flagged vertebrae that are no fractures."""
        healthy = (row for row in self.vertebrae if row.true_grade < FRACTURED_FROM)
        return sum(is_fracture(row.found_grade) for row in healthy) + self.invented_fractures


def is_fracture(grade: int | None) -> bool:
    """Grade 1 or higher."""
    return grade is not None and grade >= FRACTURED_FROM


def compare_grades(true: Grades, found: FoundGrades, places: Identification | None) -> CaseGrading:
    """Pair the grades of one case, by place where places are known and else by name."""
    if places is None:
        pairs = {level: level if level in found else None for level in true}
        invented: tuple[VertebraLevel, ...] = ()
        not_located: tuple[VertebraLevel, ...] = ()
    else:
        known = {row.level: row.matched for row in places.vertebrae}
        pairs = {level: known[level] for level in true if level in known}
        invented = places.invented
        not_located = tuple(level for level in true if level not in known)
    rows = tuple(
        GradedVertebra(level, true[level], matched, None if matched is None else found[matched])
        for level, matched in sorted(pairs.items(), key=lambda pair: pair[0].rank)
    )
    judged = {*pairs.values(), *invented}
    return CaseGrading(
        vertebrae=rows,
        invented_fractures=sum(is_fracture(found[level]) for level in invented),
        unjudged_fractures=sum(is_fracture(g) for v, g in found.items() if v not in judged),
        not_located=not_located,
    )
