"""What a study gets that must not be analysed: a report, a picture and a PDF that say why."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from pydicom.dataset import Dataset

from sr_writer.encapsulated_pdf import build_encapsulated_pdf
from sr_writer.errors import SourceUnreadable
from sr_writer.files import WrittenObject, save_object, save_picture, write_findings
from sr_writer.findings_schema import Findings
from sr_writer.headers import normalised, read_header
from sr_writer.instance import ResultContext
from sr_writer.narrative import build_narrative
from sr_writer.overview import draw_not_analysable
from sr_writer.pdf import render_pdf
from sr_writer.provenance import NARRATIVE, OVERVIEW, PDF, SR, ResultUIDs
from sr_writer.references import InstanceReference, instance_reference
from sr_writer.secondary_capture import build_secondary_capture
from sr_writer.settings import WriterSettings
from sr_writer.sr import build_not_analysable_sr
from sr_writer.wording import superseding
from sr_writer.writer import BuiltObject


def write_not_analysable(
    findings: Findings, source_path: Path | None, out: Path, settings: WriterSettings
) -> tuple[WrittenObject, ...]:
    """Write findings.json and features.csv, and per `settings.outputs` SR, picture and PDF.

    Parameters
    ----------
    findings
        From `sr_writer.findings.not_analysable`.
    source_path
        A source file, or the folder of the series; DICOM objects are written only where a
        readable DICOM header is found there.

    Returns
    -------
    tuple of WrittenObject
        The DICOM objects.
    """
    out.mkdir(parents=True, exist_ok=True)
    settings = replace(settings, created=settings.created_at)
    stored = _first_header(source_path)
    context = None
    if stored is not None:
        findings = _identified(findings, stored)
        context = _context(findings, stored, settings)
    objects = _write_pictures(findings, context, out, settings)
    if context is not None and "sr" in settings.outputs:
        references = _references(context.header)
        objects = [
            (SR, build_not_analysable_sr(references, context)),
            (NARRATIVE, build_narrative(references, context)),
            *objects,
        ]
    written = tuple(save_object(kind, ds, out) for kind, ds in objects)
    write_findings(findings, written, out)
    return written


def _context(findings: Findings, stored: Dataset, settings: WriterSettings) -> ResultContext:
    uids = ResultUIDs(findings, settings)
    header = normalised(stored, uids)
    return ResultContext(findings, settings, uids, header, stored, settings.created_at)


def _identified(findings: Findings, header: Dataset) -> Findings:
    """Name the refused series, so that no two refusals share a UID.

    A series may be refused before it became a volume: then `findings` does not know the source,
    and every refusal of every patient would have the same digest.
    """
    series = str(header.SeriesInstanceUID)
    reasons = (f"{reason.code} {reason.text}" for reason in findings.reasons)
    parts = (findings.source.digest, series, str(header.get("SOPInstanceUID", "")), *reasons)
    source = replace(
        findings.source,
        study_instance_uid=str(header.StudyInstanceUID),
        series_instance_uid=series,
        digest=hashlib.sha256("\x1f".join(parts).encode()).hexdigest(),
    )
    return replace(findings, source=source)


def _write_pictures(
    findings: Findings, context: ResultContext | None, out: Path, settings: WriterSettings
) -> list[BuiltObject]:
    objects: list[BuiltObject] = []
    if "overview" in settings.outputs:
        picture = draw_not_analysable(findings, superseding(settings.predecessor))
        save_picture(picture, out / "overview.png")
        if context is not None:
            objects.append((OVERVIEW, build_secondary_capture(picture, context)))
    if "pdf" in settings.outputs:
        header = None if context is None else context.header
        document = render_pdf(findings, None, header, settings)
        (out / "report.pdf").write_bytes(document)
        if context is not None:
            objects.append((PDF, build_encapsulated_pdf(document, context)))
    return objects


def _references(header: Dataset) -> list[InstanceReference]:
    return [instance_reference(header)] if header.get("SOPInstanceUID") else []


def _first_header(source_path: Path | None) -> Dataset | None:
    """First readable header that names a study."""
    for path in _candidates(source_path):
        try:
            header = read_header(path)
        except SourceUnreadable:
            continue
        if header.get("StudyInstanceUID") and header.get("SeriesInstanceUID"):
            return header
    return None


def _candidates(source_path: Path | None) -> Iterator[Path]:
    if source_path is None or not source_path.exists():
        return
    if source_path.is_file():
        yield source_path
        return
    yield from (path for path in sorted(source_path.rglob("*")) if path.is_file())
