"""Validators that print their findings: dciodvfy, dcentvfy, dsrdump, dsr2html, PixelMed."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

from objects import ObjectSet
from remarks import reason
from result import Result

PIXELMED = "PixelMed SR validator"
_DOCUMENTS = ("sr", "narrative", "key_images")
_PIXELMED_COMMAND = (
    "java", "-Xmx3g", "-Djdk.xml.xpathExprGrpLimit=0", "-Djdk.xml.xpathExprOpLimit=0",
    "-Djdk.xml.xpathTotalOpLimit=0", "-cp", "/usr/share/java/*",
    "com.pixelmed.validate.DicomSRValidator",
)  # fmt: skip
_TIMEOUT_S = 300


def dciodvfy(objects: ObjectSet) -> Result:
    lines: list[str] = []
    for item in objects.written:
        lines += _remarks(_run("dciodvfy", item.path))
    return _judged("dciodvfy", objects, lines, f"{len(objects.written)} objects")


def dcentvfy(objects: ObjectSet) -> Result:
    """Patient, study and series of results and source agree."""
    paths = [*sorted(objects.source.glob("*.dcm")), *(item.path for item in objects.written)]
    text = _run("dcentvfy", *paths)
    return _judged("dcentvfy", objects, _remarks(text), f"{len(paths)} objects with their source")


def dcmtk(objects: ObjectSet) -> Iterator[Result]:
    """The document tree is read without complaint and shown as a page."""
    documents = [item.path for item in objects.written if item.kind in _DOCUMENTS]
    for program in ("dsrdump", "dsr2html"):
        lines: list[str] = []
        for path in documents:
            text = _run(program, path)
            lines += [line for line in text.splitlines() if line.startswith(("E:", "F:"))]
        yield _judged(program, objects, lines, f"{len(documents)} documents")


def pixelmed(objects: ObjectSet) -> Result:
    text = _run(*_PIXELMED_COMMAND, objects.path("sr"))
    lines = [line for line in text.splitlines() if line.startswith(("Error", "Warning"))]
    if "Root Template Validation Complete" not in text:
        lines.append(f"Error: did not finish: {text[-300:]}")
    return _judged(PIXELMED, objects, lines, "TID 1500 report")


def _run(*command: str | Path) -> str:
    run = subprocess.run(
        [str(part) for part in command],
        capture_output=True, text=True, errors="replace", check=False, timeout=_TIMEOUT_S,
    )  # fmt: skip
    # validators that found something end with a status too: only a signal is a crash
    crashed = f"\nError - {command[0]} ended with {run.returncode}" if run.returncode < 0 else ""
    return run.stdout + run.stderr + crashed


def _remarks(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith(("Error", "Warning"))]


def _judged(tool: str, objects: ObjectSet, lines: list[str], what: str) -> Result:
    faults = tuple(line for line in lines if reason(tool, objects.name, line) is None)
    known = len(lines) - len(faults)
    outcome = "no error" + (f", {known} known remarks" if known else "")
    return Result(tool, objects.name, what, outcome, faults)
