"""One case: read, segment, measure, compare."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from inference.analysis import measure_segmentation
from inference.anatomy import VertebraLevel
from inference.errors import NotAnalysable
from inference.evaluation.centres import mask_centres
from inference.evaluation.grading import CaseGrading, FoundGrades, compare_grades
from inference.evaluation.identification import Identification, identify
from inference.evaluation.layout import CaseFiles
from inference.evaluation.overlap import VertebraOverlap, compare_masks
from inference.evaluation.reliability import NamedVertebra, judge_names
from inference.evaluation.truth import BODY_CENTRE, CaseTruth, load_truth
from inference.report import Segmentation
from inference.segmenter import Segmenter
from inference.volume import CTVolume
from inference.window_search import Progress

EVALUATED = "evaluated"
REFUSED = "not_analysable"
FAILED = "failed"


@dataclass(frozen=True)
class CaseResult:
    """What one case showed; parts without truth are None.

    Attributes
    ----------
    status
        ``evaluated``; ``not_analysable`` if the product refused the scan (its true vertebrae then
        count as missed); ``failed`` if a file could not be used (the case counts nowhere).
    reason
        Why it was refused or failed.
    partial
        True vertebrae that need not be found: absent from `overlap` and `places`.
    """

    name: str
    status: str
    reason: str | None = None
    overlap: tuple[VertebraOverlap, ...] | None = None
    places: Identification | None = None
    centre_of: str | None = None
    grading: CaseGrading | None = None
    names: tuple[NamedVertebra, ...] = ()
    partial: frozenset[VertebraLevel] = frozenset()
    absent: tuple[str, ...] = ()


def evaluate_case(files: CaseFiles, segmenter: Segmenter, progress: Progress) -> CaseResult:
    """Compare the segmenter's answer on one case with its truth.

    Raises
    ------
    UnreadableInput
        If a file of the case cannot be used.
    NotAnalysable
        If the CT itself has no usable geometry; a refusal by the segmenter is a result.
    """
    volume = load_ct(files)
    truth = load_truth(files, volume)
    try:
        found, refusal = segmenter.segment(volume, progress), None
    except NotAnalysable as error:
        found, refusal = _nothing(volume, segmenter), f"{error.code}: {error.text}"
    places = _places(truth, found, volume)
    grading = None
    if truth.grades is not None:
        grading = compare_grades(truth.grades, _grades(volume, found), places)
    confidences = {v.level: v.confidence for v in found.vertebrae}
    return CaseResult(
        name=files.name,
        status=EVALUATED if refusal is None else REFUSED,
        reason=refusal,
        overlap=_overlap(truth, found, volume),
        places=None if places is None else _required(places, truth.partial),
        centre_of=None if places is None else truth.centre_of,
        grading=grading,
        names=() if places is None else judge_names(places, confidences),
        partial=truth.partial,
        absent=truth.absent,
    )


def load_ct(files: CaseFiles) -> CTVolume:
    """Read the CT of a case, a DICOM folder or a NIfTI file."""
    if files.ct.is_dir():
        return CTVolume.from_dicom(files.ct)
    return CTVolume.from_nifti(files.ct)


def _nothing(volume: CTVolume, segmenter: Segmenter) -> Segmentation:
    empty = np.zeros(volume.shape_kji, dtype=np.uint8)
    return Segmentation(empty, empty, (), segmenter.identity)


def _overlap(
    truth: CaseTruth, found: Segmentation, volume: CTVolume
) -> tuple[VertebraOverlap, ...] | None:
    if truth.labels is None:
        return None
    rows = compare_masks(truth.labels, truth.bodies, found, volume.spacing_kji_mm)
    return tuple(row for row in rows if row.level not in truth.partial)


def _places(truth: CaseTruth, found: Segmentation, volume: CTVolume) -> Identification | None:
    if truth.centres is None:
        return None
    centres = mask_centres(found.labels, volume)
    if truth.centre_of == BODY_CENTRE:
        centres |= mask_centres(found.bodies, volume)
    named = {v.level for v in found.vertebrae}
    complete = {v.level for v in found.vertebrae if v.complete}
    return identify(truth.centres, {v: c for v, c in centres.items() if v in named}, complete)


def _required(places: Identification, partial: frozenset[VertebraLevel]) -> Identification:
    kept = tuple(row for row in places.vertebrae if row.level not in partial)
    return replace(places, vertebrae=kept)


def _grades(volume: CTVolume, found: Segmentation) -> FoundGrades:
    if not found.vertebrae:
        return {}
    grades: dict[VertebraLevel, int | None] = dict.fromkeys(v.level for v in found.vertebrae)
    for row in measure_segmentation(volume, found).vertebrae:
        grades[row.level] = None if row.fracture is None else row.fracture.grade
    return grades
