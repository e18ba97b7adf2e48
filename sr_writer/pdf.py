"""report.pdf: one page of findings, one of texture and density, one of method and limits."""

from __future__ import annotations

import io

from pydicom.dataset import Dataset
from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.platypus import PageBreak, SimpleDocTemplate
from reportlab.platypus.flowables import Flowable

from sr_writer import wording
from sr_writer.drawing import RGBArray
from sr_writer.findings_schema import Findings
from sr_writer.pdf_pages import (
    findings_page,
    method_page,
    not_analysable_page,
    report_head,
    texture_page,
)
from sr_writer.pdf_shape import shape_section
from sr_writer.pdf_style import FONT, register_fonts
from sr_writer.settings import WriterSettings

MARGIN_MM = 15


def render_pdf(
    findings: Findings, picture: RGBArray | None, header: Dataset | None, settings: WriterSettings
) -> bytes:
    """Return the report as PDF bytes, the same for the same arguments.

    Parameters
    ----------
    picture
        The two views of the spine, or None for a study that was not analysed.
    header
        Source header for the patient's line; None for inputs without patient.
    settings
        Date and time as printed, and the report that this one supersedes.
    """
    register_fonts()
    head = report_head(header, settings)
    story: list[Flowable] = []
    if findings.analysed and picture is not None:
        story += findings_page(findings, picture, head)
        story += [PageBreak(), *texture_page(findings), *shape_section(findings), PageBreak()]
    else:
        story += [*not_analysable_page(findings, head), PageBreak()]
    story += method_page(findings)
    buffer = io.BytesIO()
    document = SimpleDocTemplate(
        buffer,
        pagesize=A4,
        leftMargin=MARGIN_MM * mm,
        rightMargin=MARGIN_MM * mm,
        topMargin=13 * mm,
        bottomMargin=18 * mm,
        invariant=1,
        title="Spine CT report",
        author=findings.software_name,
        subject=wording.RESEARCH_USE,
    )
    footer = _footer(findings)
    document.build(story, onFirstPage=footer, onLaterPages=footer)
    return buffer.getvalue()


def _footer(findings: Findings):  # type: ignore[no-untyped-def]  # reportlab has no types
    def draw(canvas, document) -> None:  # type: ignore[no-untyped-def]
        canvas.saveState()
        canvas.setFont(f"{FONT}-Bold", 9)
        canvas.drawString(MARGIN_MM * mm, 10 * mm, wording.RESEARCH_USE)
        canvas.setFont(FONT, 8)
        canvas.drawRightString(
            A4[0] - MARGIN_MM * mm, 10 * mm,
            f"{wording.model_text(findings)} · page {document.page}",
        )  # fmt: skip
        canvas.restoreState()

    return draw
