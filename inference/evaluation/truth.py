"""What is known about one case: masks, centres and grades, each only where a file says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from inference.anatomy import VertebraLevel
from inference.errors import UnreadableInput
from inference.evaluation.centres import mask_centres
from inference.evaluation.centroid_file import Centroids, read_centroids
from inference.evaluation.grade_file import Grades, read_grades
from inference.evaluation.json_file import number, read_json
from inference.evaluation.layout import CaseFiles
from inference.nifti import load_labels
from inference.volume import CTVolume, LabelArray

BODY_CENTRE = "vertebral body"
VERTEBRA_CENTRE = "whole vertebra"
_BODY_SUBREGIONS = (49, 50)


@dataclass(frozen=True)
class CaseTruth:
    """Truth on the grid of the case's volume.

    Attributes
    ----------
    labels, bodies
        uint8 (k, j, i), VerSe labels of vertebrae only, or None.
    centres
        LPS mm, or None where neither centroids nor a mask exist.
    centre_of
        `BODY_CENTRE` or `VERTEBRA_CENTRE`: what `centres` are the centres of.
    grades
        Genant grades of the vertebrae that were judged, or None.
    partial
        Vertebrae of a phantom whose body does not lie wholly in the field of view (of some only a
        spinous process is seen): none of these has to be found. Readers of real scans list what
        has to be found.
    absent
        Which truths are missing, as sentences.
    """

    labels: LabelArray | None
    bodies: LabelArray | None
    centres: Centroids | None
    centre_of: str
    grades: Grades | None
    partial: frozenset[VertebraLevel]
    absent: tuple[str, ...]


def load_truth(files: CaseFiles, volume: CTVolume) -> CaseTruth:
    """Read every truth file of a case.

    Raises
    ------
    UnreadableInput
        If a file that exists cannot be used; the text names it.
    """
    labels = None if files.mask is None else _levels_only(load_labels(files.mask, volume))
    bodies = _bodies(files, volume, labels)
    centres, centre_of = _centres(files, volume, labels, bodies)
    grades = _grades(files)
    missing = {
        "no mask: no Dice and no Hausdorff distance": labels is None,
        "no body mask: no body Dice": bodies is None,
        "no centroids and no mask: no identification, no localisation error": centres is None,
        "no Genant grades: no fracture figures": grades is None,
    }
    absent = tuple(text for text, is_missing in missing.items() if is_missing)
    return CaseTruth(labels, bodies, centres, centre_of, grades, _partial(files, labels), absent)


def _levels_only(labels: LabelArray) -> LabelArray:
    """Drop sacrum, coccyx and whatever is no vertebra."""
    kept = np.zeros(256, dtype=np.uint8)
    kept[[int(level) for level in VertebraLevel]] = [int(level) for level in VertebraLevel]
    return kept[labels]


def _bodies(files: CaseFiles, volume: CTVolume, labels: LabelArray | None) -> LabelArray | None:
    if files.bodies is not None:
        return _levels_only(load_labels(files.bodies, volume))
    if files.subregions is None or labels is None:
        return None
    parts = load_labels(files.subregions, volume)
    return np.where(np.isin(parts, _BODY_SUBREGIONS), labels, 0).astype(np.uint8)


def _centres(
    files: CaseFiles, volume: CTVolume, labels: LabelArray | None, bodies: LabelArray | None
) -> tuple[Centroids | None, str]:
    if files.truth is not None:
        return _phantom_centres(files.truth), BODY_CENTRE
    if files.centroids is not None:
        of_vertebra = "_seg-vert_" in files.centroids.name
        centre_of = VERTEBRA_CENTRE if of_vertebra else BODY_CENTRE
        return read_centroids(files.centroids, volume), centre_of
    if bodies is not None:
        return mask_centres(bodies, volume), BODY_CENTRE
    return (None if labels is None else mask_centres(labels, volume)), VERTEBRA_CENTRE


def _phantom_centres(path: Path) -> Centroids:
    rows = _phantom_rows(path)
    try:
        return {
            VertebraLevel(row["verse_label"]): np.array(
                [number(value) for value in row["centroid_lps_mm"]]
            )
            for row in rows
        }
    except (KeyError, TypeError, ValueError) as error:
        raise UnreadableInput(f"{path.name}: vertebrae without a centroid ({error})") from error


def _grades(files: CaseFiles) -> Grades | None:
    if files.truth is not None:
        return _phantom_grades(files.truth)
    return None if files.grades is None else read_grades(files.grades, files.name)


def _phantom_grades(path: Path) -> Grades:
    try:
        return {
            VertebraLevel(row["verse_label"]): int(row["genant"]["grade"])
            for row in _phantom_rows(path)
            if row["genant"] is not None
        }
    except (KeyError, TypeError, ValueError) as error:
        raise UnreadableInput(f"{path.name}: vertebrae without a grade ({error})") from error


def _partial(files: CaseFiles, labels: LabelArray | None) -> frozenset[VertebraLevel]:
    if files.truth is None:
        return frozenset()
    try:
        listed = {
            VertebraLevel(row["verse_label"]): bool(row["complete"])
            for row in _phantom_rows(files.truth)
        }
    except (KeyError, TypeError, ValueError) as error:
        raise UnreadableInput(f"{files.truth.name}: no word on completeness ({error})") from error
    in_mask = set() if labels is None else set(np.unique(labels).tolist()) - {0}
    seen = {*listed, *map(VertebraLevel, in_mask)}
    return frozenset(level for level in seen if not listed.get(level, False))


def _phantom_rows(path: Path) -> list[Mapping[str, Any]]:
    content = read_json(path)
    rows = content.get("vertebrae") if isinstance(content, dict) else None
    if not isinstance(rows, list):
        raise UnreadableInput(f"{path.name}: no list of vertebrae")
    return rows
