"""A whole folder of cases: JSON, table, and what could not be read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from inference.errors import NotAnalysable, UnreadableInput
from inference.evaluation.case import FAILED, CaseResult, evaluate_case
from inference.evaluation.case_json import case_json
from inference.evaluation.layout import CaseFiles, find_cases
from inference.evaluation.summary import summarise
from inference.evaluation.table import table
from inference.segmenter import Segmenter
from inference.window_search import Progress

SCHEMA = "spinenode.evaluation/1"
JSON_NAME = "evaluation.json"
TABLE_NAME = "evaluation.md"


def evaluate_folder(
    folder: Path, out: Path, segmenter: Segmenter, progress: Progress | None = None
) -> str:
    """Compare the segmenter's answers with the truth of every case in a folder.

    Writes ``evaluation.json`` and ``evaluation.md`` into `out`. A case with a broken file is
    listed with the reason, and the others go on.

    Parameters
    ----------
    folder
        VerSe layout, the same file names in one flat folder, or phantom folders.
    progress
        Called with the finished fraction of the whole folder.

    Returns
    -------
    str
        The text of ``evaluation.md``.

    Raises
    ------
    UnreadableInput
        If the folder holds no case, or none of its cases can be read.
    """
    if not folder.is_dir():
        raise UnreadableInput(f"{folder}: no such folder")
    cases = find_cases(folder)
    if not cases:
        raise UnreadableInput(
            f"{folder}: no case; expected *_ct.nii.gz files as in VerSe, or phantom folders"
            " with dicom/ and truth.json"
        )
    report = progress or _silent
    results = []
    for done, files in enumerate(cases):
        results.append(_result(files, segmenter, _part(report, done, len(cases))))
        report((done + 1) / len(cases))
    text = _write(out, results, segmenter)
    if all(result.status == FAILED for result in results):
        raise UnreadableInput(f"no case could be read; the first, {_first_reason(results)}")
    return text


def _result(files: CaseFiles, segmenter: Segmenter, progress: Progress) -> CaseResult:
    try:
        return evaluate_case(files, segmenter, progress)
    except NotAnalysable as error:
        return CaseResult(files.name, FAILED, f"{files.ct.name}: {error.code}: {error.text}")
    except UnreadableInput as error:
        return CaseResult(files.name, FAILED, str(error))


def _part(progress: Progress, done: int, total: int) -> Progress:
    def report(fraction: float) -> None:
        progress((done + fraction) / total)

    return report


def _silent(fraction: float) -> None:
    del fraction


def _write(out: Path, results: Sequence[CaseResult], segmenter: Segmenter) -> str:
    evaluation: dict[str, Any] = {
        "schema": SCHEMA,
        "model": asdict(segmenter.identity),
        "cases": [case_json(result) for result in results],
        "summary": summarise(results),
    }
    text = table(evaluation)
    out.mkdir(parents=True, exist_ok=True)
    content = json.dumps(evaluation, indent=1, allow_nan=False) + "\n"
    (out / JSON_NAME).write_text(content, encoding="utf-8")
    (out / TABLE_NAME).write_text(text, encoding="utf-8")
    return text


def _first_reason(results: Sequence[CaseResult]) -> str:
    return f"{results[0].name}: {results[0].reason}"
