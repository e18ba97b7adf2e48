"""The report as text (Enhanced SR, TID 2000): for viewers that show no measurement groups."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

from pydicom.dataset import Dataset

from sr_writer import codes, wording
from sr_writer.content_items import CONTAINS, HAS_CONCEPT_MOD, code_item, container_item, text_item
from sr_writer.instance import ResultContext
from sr_writer.provenance import NARRATIVE
from sr_writer.references import InstanceReference
from sr_writer.sr import language_item, observer_items, sr_document

_LINE_CHARACTERS = 92
_LEGEND = (
    "Heights: anterior / middle / posterior. Why something was not measured is said in the "
    "measurement report."
)


def build_narrative(references: Iterable[InstanceReference], context: ResultContext) -> Dataset:
    """Return the narrative of a result, analysed or not."""
    children = [
        language_item(),
        *observer_items(context),
        code_item(HAS_CONCEPT_MOD, codes.PROCEDURE_REPORTED, codes.CT_UNSPECIFIED),
        _section(codes.CONCLUSIONS_HEADING, codes.CONCLUSION, _conclusions(context)),
        *_findings_section(context),
        _section(codes.PROCEDURE_HEADING, codes.PROCEDURE_DESCRIPTION, _method(context)),
    ]
    return sr_document(NARRATIVE, children, references, context)


def _section(heading: codes.Code, element: codes.Code, lines: Iterable[str]) -> bytes:
    items = [text_item(CONTAINS, element, wording.ascii_text(line)) for line in lines if line]
    return container_item(CONTAINS, heading, items)


def _conclusions(context: ResultContext) -> list[str]:
    findings = context.findings
    lines = [wording.conclusion(findings)]
    if findings.analysed:
        lines += [wording.spine_density(findings.spine), wording.level_confidence(findings)]
    lines.append(wording.RESEARCH_USE)
    lines.append(wording.superseding(context.settings.predecessor))
    return lines


def _findings_section(context: ResultContext) -> list[bytes]:
    findings = context.findings
    lines = [_wrapped(wording.vertebra_line(vertebra)) for vertebra in findings.vertebrae]
    lines += [_wrapped(f"Warning: {notice.text}") for notice in findings.warnings]
    if findings.vertebrae:
        lines.append(_wrapped(_LEGEND))
    return [_section(codes.FINDINGS_HEADING, codes.FINDING, lines)] if lines else []


def _wrapped(text: str) -> str:
    """Break lines: OHIF prints findings in fixed pitch and cuts what is wider than the window."""
    return textwrap.fill(text, _LINE_CHARACTERS).replace("\n", "\r\n    ")


def _method(context: ResultContext) -> list[str]:
    findings = context.findings
    lines = [f"Made by {wording.model_text(findings)}."]
    if findings.analysed:
        lines += [wording.preset_text(findings), *wording.METHOD_LIMITS]
    return lines
