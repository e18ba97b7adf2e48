"""The pages of the report, each a list of flowables."""

from __future__ import annotations

import io

from PIL import Image as PillowImage
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from reportlab.lib.units import mm
from reportlab.platypus import Image, Spacer, Table, TableStyle
from reportlab.platypus.flowables import Flowable

from sr_writer import wording
from sr_writer.drawing import RGBArray
from sr_writer.findings_schema import FEATURE_KEYS, Findings, VertebraFindings
from sr_writer.pdf_style import data_table, is_printable, paragraph
from sr_writer.settings import WriterSettings
from sr_writer.wording import number

_BESIDE_MM = (86.0, 190.0)
_ABOVE_MM = (150.0, 105.0)
"""Largest width and height of the picture beside and above the table of levels."""

_WIDE = 0.8
"""Width over height from which a picture stands above the table, where that is short."""

_SHORT_TABLE = 14

_LEVEL_WORDS = (
    "A / M / P: anterior, middle and posterior height. Loss: smallest height against the reference "
    "height. n/a: not available, for the reason on the last page."
)
_FEATURE_TITLES = ("Variance", "Skewness", "Energy", "Entropy\nbit", "SRE", "LRE", "RLN", "RP")
_FEATURE_WORDS = (
    "Variance and skewness: spread and asymmetry of the grey-value histogram. Energy and entropy: "
    "uniformity and disorder of neighbouring grey values. SRE, LRE, RLN, RP: short-run emphasis, "
    "long-run emphasis, run-length non-uniformity (normalised) and run percentage."
)
_PUBLISHED = (
    "Published means",
    "46.2", "0.59\n0.70", "1.99e-05\n2.19e-05", "16.18\n16.20", "0.99", "1.01", "0.99", "0.99",
)  # fmt: skip
_PUBLISHED_WORDS = (
    "Published means: fractured vertebrae, benign to malignant group, Goller 2023, Table 2. They "
    "are no normal range: they come from other scanners and from fractured vertebrae only."
)


def findings_page(findings: Findings, picture: RGBArray, head: list[Flowable]) -> list[Flowable]:
    """Page 1: the conclusion, the picture and the numbers of every level."""
    return [
        *head,
        paragraph(wording.conclusion(findings), "flagged" if findings.flagged else "verdict"),
        paragraph(wording.spine_density(findings.spine)),
        paragraph(wording.level_confidence(findings)),
        Spacer(1, 3 * mm),
        *_picture_and_table(picture, findings),
        Spacer(1, 2 * mm),
        paragraph(f"{_LEVEL_WORDS} {wording.loss_footnote(findings)}", "small"),
        *_warning_lines(findings, limit=4),
    ]


def texture_page(findings: Findings) -> list[Flowable]:
    """Page 2: density and texture of every level with reference ranges."""
    preset = wording.preset_text(findings)
    return [
        paragraph("Bone density and texture", "title"),
        paragraph(wording.spine_density(findings.spine)),
        paragraph(
            "Reference, mean of L1 to L3: below 80 mg/cm3 osteoporosis, 80 to 120 mg/cm3 "
            "osteopenia, above 120 mg/cm3 normal.",
            "small",
        ),
        Spacer(1, 2 * mm),
        _texture_table(findings),
        Spacer(1, 2 * mm),
        paragraph(_FEATURE_WORDS, "small"),
        paragraph(_PUBLISHED_WORDS, "small"),
        *([paragraph(f"{preset}.", "small")] if preset else []),
    ]


def method_page(findings: Findings) -> list[Flowable]:
    """Last page: what was done, with what, and what it cannot do."""
    story = [paragraph("Method and limits", "title")]
    for text in wording.METHOD_LIMITS:
        story += [paragraph(text), Spacer(1, 1.5 * mm)]
    gaps = [(v, wording.unavailable_lines(v)) for v in findings.vertebrae]
    lines = [f"{v.label}: {'; '.join(reasons)}" for v, reasons in gaps if reasons]
    if lines:
        story += [paragraph("Not available", "heading"), *(paragraph(x, "small") for x in lines)]
    if findings.warnings:
        story.append(paragraph("Warnings", "heading"))
        story += [paragraph(notice.text, "small") for notice in findings.warnings]
    story.append(paragraph("Made with", "heading"))
    return story + [paragraph(line, "small") for line in _identity_lines(findings)]


def not_analysable_page(findings: Findings, head: list[Flowable]) -> list[Flowable]:
    """Page 1 of a study without result."""
    return [
        *head,
        paragraph(wording.conclusion(findings), "flagged"),
        Spacer(1, 3 * mm),
        paragraph(wording.NOTHING_MADE),
    ]


def report_head(header: Dataset | None, settings: WriterSettings) -> list[Flowable]:
    """Title, patient, date and status, as page 1 begins."""
    lines = [paragraph("Spine CT report", "title")]
    created_text = settings.created_at.strftime("%Y-%m-%d %H:%M")
    if header is not None:
        lines.append(paragraph(_patient_line(header)))
    lines.append(paragraph(f"Report made {created_text}. {wording.RESEARCH_USE}", "small"))
    supersedes = wording.superseding(settings.predecessor)
    if supersedes:
        lines.append(paragraph(supersedes, "verdict"))
    return [*lines, Spacer(1, 3 * mm)]


def _patient_line(header: Dataset) -> str:
    """Identify patient and study; a name the font cannot show is left to the identifiers."""
    name = _first_of(header.PatientName).split("=")[0].replace("^", " ").strip()
    if not is_printable(name):
        name = "(name as in the study)"
    parts = [
        ("Patient", name),
        ("ID", str(header.PatientID)),
        ("born", _iso(str(header.PatientBirthDate))),
        ("sex", str(header.PatientSex)),
        ("study of", _iso(str(header.StudyDate))),
        ("accession number", str(header.AccessionNumber)),
    ]
    return " · ".join(f"{title} {value}" for title, value in parts if value)


def _first_of(value: object) -> str:
    """The first value where a device wrote several into an element that holds one."""
    return str(next(iter(value), "") if isinstance(value, MultiValue) else value)


def _iso(date: str) -> str:
    return f"{date[:4]}-{date[4:6]}-{date[6:8]}" if len(date) == 8 else date


def _picture_and_table(picture: RGBArray, findings: Findings) -> list[Flowable]:
    rows, columns = picture.shape[:2]
    if columns / rows >= _WIDE and len(findings.vertebrae) <= _SHORT_TABLE:
        widths = [w * mm for w in (20, 30, 50, 30, 50)]
        table = _level_table(findings, widths, 8.5)
        return [_picture(picture, _ABOVE_MM), Spacer(1, 4 * mm), table]
    widths = [w * mm for w in (10, 13, 27, 13, 28)]
    return [_side_by_side(_picture(picture, _BESIDE_MM), _level_table(findings, widths, 7))]


def _picture(picture: RGBArray, most_mm: tuple[float, float]) -> Image:
    buffer = io.BytesIO()
    PillowImage.fromarray(picture).save(buffer, "PNG", compress_level=1)
    buffer.seek(0)
    rows, columns = picture.shape[:2]
    scale = min(most_mm[0] / columns, most_mm[1] / rows)
    return Image(buffer, columns * scale * mm, rows * scale * mm, hAlign="LEFT")


def _side_by_side(left: Flowable, right: Flowable) -> Table:
    style = TableStyle(
        [
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ("LEFTPADDING", (0, 0), (-1, -1), 0),
            ("RIGHTPADDING", (0, 0), (-1, -1), 0),
        ]
    )
    return Table([[left, right]], colWidths=[89 * mm, 91 * mm], style=style, hAlign="LEFT")


def _level_table(findings: Findings, widths: list[float], font_size: float) -> Table:
    rows = [["Level", "Loss\n%", "Heights A / M / P\nmm", "Density\nmg/cm3", "Fracture"]]
    flagged = set()
    for vertebra in findings.vertebrae:
        if vertebra.fractured:
            flagged.add(len(rows))
        rows.append(_level_row(vertebra))
    return data_table(rows, widths, flagged, font_size)


def _level_row(vertebra: VertebraFindings) -> list[str]:
    heights = vertebra.heights_mm
    values = (heights.anterior, heights.middle, heights.posterior)
    if vertebra.fractured:
        finding = f"{vertebra.genant.type} grade {vertebra.genant.grade}"
    elif vertebra.fractured is None:
        finding = "not judged" if vertebra.complete else "cut by edge"
    else:
        finding = "none"
    return [
        vertebra.label,
        wording.loss_text(vertebra),
        " / ".join(number(v, 1) for v in values) if values[0] is not None else "n/a",
        number(vertebra.bmd_mg_cm3, 1),
        finding,
    ]


def _texture_table(findings: Findings) -> Table:
    rows = [["Level", "Mean\nHU", "SD\nHU", "Density\nmg/cm3", *_FEATURE_TITLES]]
    flagged = set()
    for vertebra in findings.vertebrae:
        if vertebra.fractured:
            flagged.add(len(rows))
        features = [_feature(key, vertebra.features.get(key)) for key in FEATURE_KEYS]
        hu = vertebra.hu
        density = number(vertebra.bmd_mg_cm3, 1)
        rows.append([vertebra.label, number(hu.mean, 1), number(hu.sd, 1), density, *features])
    first, *published = _PUBLISHED
    rows.append([first, "", "", "", *published])
    widths = [w * mm for w in (11, 13, 12, 13, 15, 16, 19, 17, 16, 16, 16, 16)]
    table = data_table(rows, widths, flagged, 6.4)
    table.setStyle(TableStyle([("SPAN", (0, len(rows) - 1), (3, len(rows) - 1))]))
    return table


def _feature(key: str, value: float | None) -> str:
    """All six digits that findings.json has; energy always with its power of ten."""
    if value is None:
        return "n/a"
    return f"{value:.5e}" if key == "energy" else f"{value:#.6g}"


def _warning_lines(findings: Findings, limit: int) -> list[Flowable]:
    lines = [paragraph(f"Warning: {notice.text}", "small") for notice in findings.warnings[:limit]]
    if len(findings.warnings) > limit:
        lines.append(paragraph("More warnings on the last page.", "small"))
    return [Spacer(1, 2 * mm), *lines] if lines else []


def _identity_lines(findings: Findings) -> list[str]:
    lines = [f"Program: {findings.software_name} {findings.software_version}"]
    if findings.model is not None:
        made_by = wording.origin_of_masks(findings.model)
        lines.append(f"Masks: {made_by}, sha256 {findings.model.sha256}")
    source = findings.source
    if source.series_instance_uid:
        lines.append(f"Source series: {source.series_instance_uid}, {source.instances} instances")
    if source.spacing_mm is not None and source.shape_kji is not None:
        k, j, i = source.shape_kji
        dk, dj, di = source.spacing_mm
        lines.append(
            f"Voxels: {i} x {j} x {k} of {di:.2f} x {dj:.2f} x {dk:.2f} mm "
            "(column, row, slice direction)"
        )
    return lines
