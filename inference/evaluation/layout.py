"""Which files of a folder make a case: VerSe's names, flat or nested, and phantom folders."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_CT_NAME = re.compile(r"(?P<stem>.+)_ct\.nii(\.gz)?")
_CENTROID_NAME = re.compile(r"_(seg-(?P<of>[a-z]+)_)?(?P<iso>iso-)?ctd\.json")
_CENTROID_PREFERENCE = ("subreg", "sub", "vb", None, "vert")
_GRADE_NAME = re.compile(r"_(.*fracture.*\.csv|(.*_)?grades\.json)", re.IGNORECASE)
_SHARED_GRADE_NAME = re.compile(r"(.*fracture.*\.csv|grades\.json)", re.IGNORECASE)

TRUTH_NAME = "truth.json"
DICOM_FOLDER = "dicom"


@dataclass(frozen=True)
class CaseFiles:
    """One CT and what is known about it; None where there is no such file.

    Attributes
    ----------
    ct
        A NIfTI file, or the folder of a DICOM series.
    mask
        Whole vertebrae, VerSe labels.
    bodies
        Vertebral bodies, VerSe labels (phantoms).
    subregions
        Parts of vertebrae; 49 and 50 are the body, without a level.
    centroids
        Centroid JSON as in VerSe.
    grades
        Genant grades of this case, or of all cases of the folder.
    truth
        ``truth.json`` of a phantom.
    """

    name: str
    ct: Path
    mask: Path | None = None
    bodies: Path | None = None
    subregions: Path | None = None
    centroids: Path | None = None
    grades: Path | None = None
    truth: Path | None = None


def find_cases(folder: Path) -> tuple[CaseFiles, ...]:
    """Cases under `folder`, sorted by name."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    cases = [*_verse_cases(folder, files), *_phantom_cases(folder, files)]
    return tuple(sorted(cases, key=lambda case: case.name))


def _verse_cases(folder: Path, files: list[Path]) -> Iterable[CaseFiles]:
    cts = [(path, match["stem"]) for path in files if (match := _CT_NAME.fullmatch(path.name))]
    stems = [stem for _, stem in cts]
    for ct, stem in cts:
        beside = [path for path in files if path.name.startswith(stem + "_")]
        yield CaseFiles(
            name=stem if stems.count(stem) == 1 else _relative_name(ct.parent / stem, folder),
            ct=ct,
            mask=_nearest(ct, _named(beside, stem, r"_seg-vert_msk\.nii(\.gz)?")),
            subregions=_nearest(ct, _named(beside, stem, r"_seg-subreg_msk\.nii(\.gz)?")),
            centroids=_centroids(ct, stem, beside),
            grades=_grades(ct, stem, beside, files),
        )


def _phantom_cases(folder: Path, files: list[Path]) -> Iterable[CaseFiles]:
    for truth in files:
        home = truth.parent
        if truth.name != TRUTH_NAME or not (home / DICOM_FOLDER).is_dir():
            continue
        yield CaseFiles(
            name=_relative_name(home, folder),
            ct=home / DICOM_FOLDER,
            mask=_existing(home / "labels.nii.gz"),
            bodies=_existing(home / "bodies.nii.gz"),
            truth=truth,
        )


def _centroids(ct: Path, stem: str, beside: list[Path]) -> Path | None:
    found: list[tuple[tuple[int, bool], Path]] = []
    for path in beside:
        match = _CENTROID_NAME.fullmatch(path.name[len(stem) :])
        if match and match["of"] in _CENTROID_PREFERENCE:
            rank = _CENTROID_PREFERENCE.index(match["of"])
            found.append(((rank, match["iso"] is not None), path))
    if not found:
        return None
    best = min(rank for rank, _ in found)
    return _nearest(ct, [path for rank, path in found if rank == best])


def _grades(ct: Path, stem: str, beside: list[Path], files: list[Path]) -> Path | None:
    own = [path for path in beside if _GRADE_NAME.fullmatch(path.name[len(stem) :])]
    shared = [path for path in files if _SHARED_GRADE_NAME.fullmatch(path.name)]
    whole_folder = [path for path in shared if not path.name.startswith("sub-")]
    return _nearest(ct, own) or _nearest(ct, whole_folder)


def _named(paths: list[Path], stem: str, pattern: str) -> list[Path]:
    return [path for path in paths if re.fullmatch(pattern, path.name[len(stem) :])]


def _nearest(ct: Path, paths: list[Path]) -> Path | None:
    """Pick the file that shares most of the CT's folders: parts of a data set repeat names."""

    def shared_parts(path: Path) -> int:
        pairs = zip(path.parts, ct.parts, strict=False)
        return next((n for n, (a, b) in enumerate(pairs) if a != b), len(ct.parts))

    return max(paths, key=shared_parts, default=None)


def _existing(path: Path) -> Path | None:
    return path if path.is_file() else None


def _relative_name(path: Path, folder: Path) -> str:
    relative = path.relative_to(folder).as_posix()
    return folder.resolve().name if relative == "." else relative
