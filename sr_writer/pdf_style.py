"""Fonts, paragraph and table styles of the report."""

from __future__ import annotations

import unicodedata
from functools import cache
from pathlib import Path

import matplotlib
from reportlab import rl_config
from reportlab.lib import colors
from reportlab.lib.styles import ParagraphStyle
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.platypus import Paragraph, Table, TableStyle

from sr_writer import palette

FONT = "DejaVuSans"
"""Comes with matplotlib; has Latin, Greek and Cyrillic letters."""

_RIGHT_TO_LEFT = ("R", "AL")

FLAGGED = colors.HexColor(palette.FLAGGED)
FLAGGED_TINT = colors.HexColor("#FBE9DD")
LINE = colors.HexColor("#C8CCD0")
MUTED = colors.HexColor("#55595E")

_BODY = ParagraphStyle("body", fontName=FONT, fontSize=9, leading=12.5)
_SMALL = ParagraphStyle("small", parent=_BODY, fontSize=8, leading=10.5, textColor=MUTED)
_HEADING = ParagraphStyle(
    "heading", fontName=f"{FONT}-Bold", fontSize=12, leading=15, spaceBefore=7, spaceAfter=4
)
_TITLE = ParagraphStyle("title", fontName=f"{FONT}-Bold", fontSize=17, leading=21, spaceAfter=3)
_VERDICT = ParagraphStyle("verdict", fontName=f"{FONT}-Bold", fontSize=11, leading=14.5)
_VERDICT_FLAGGED = ParagraphStyle("flagged", parent=_VERDICT, textColor=FLAGGED)

STYLES = {
    "body": _BODY,
    "small": _SMALL,
    "heading": _HEADING,
    "title": _TITLE,
    "verdict": _VERDICT,
    "flagged": _VERDICT_FLAGGED,
}


@cache
def register_fonts() -> None:
    """Make the fonts known to reportlab, once per process."""
    # binary streams: reportlab's ASCII85 encoder is Python and took most of a report's time
    rl_config.useA85 = 0
    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    for name in (FONT, f"{FONT}-Bold"):
        pdfmetrics.registerFont(TTFont(name, str(folder / f"{name}.ttf")))
    pdfmetrics.registerFontFamily(FONT, normal=FONT, bold=f"{FONT}-Bold")


def is_printable(text: str) -> bool:
    """Whether the font has every letter; right-to-left scripts would come out reversed."""
    letters = pdfmetrics.getFont(FONT).face.charToGlyph
    return all(
        ord(c) in letters
        and c != unicodedata.lookup("REPLACEMENT CHARACTER")
        and unicodedata.bidirectional(c) not in _RIGHT_TO_LEFT
        for c in text
    )


def paragraph(text: str, style: str = "body") -> Paragraph:
    """Paragraph of plain text (markup characters are escaped)."""
    joined = text.replace(" %", "\u00a0%")
    escaped = joined.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return Paragraph(escaped, STYLES[style])


def data_table(
    rows: list[list[str]], widths: list[float], flagged_rows: set[int], font_size: float = 8
) -> Table:
    """Table with a heading row; flagged rows are tinted and bold."""
    style = [
        ("FONT", (0, 0), (-1, -1), FONT, font_size),
        ("FONT", (0, 0), (-1, 0), f"{FONT}-Bold", font_size - 0.5),
        ("LEADING", (0, 0), (-1, -1), font_size + 2),
        ("ALIGN", (1, 0), (-1, -1), "RIGHT"),
        ("VALIGN", (0, 0), (-1, -1), "MIDDLE"),
        ("LINEBELOW", (0, 0), (-1, 0), 0.7, MUTED),
        ("LINEBELOW", (0, 1), (-1, -1), 0.25, LINE),
        ("TOPPADDING", (0, 0), (-1, -1), 1.6),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 1.6),
        ("LEFTPADDING", (0, 0), (-1, -1), 2.5),
        ("RIGHTPADDING", (0, 0), (-1, -1), 2.5),
    ]
    for row in flagged_rows:
        style += [
            ("BACKGROUND", (0, row), (-1, row), FLAGGED_TINT),
            ("FONT", (0, row), (-1, row), f"{FONT}-Bold", font_size),
            ("TEXTCOLOR", (0, row), (0, row), FLAGGED),
        ]
    return Table(rows, colWidths=widths, style=TableStyle(style), repeatRows=1, hAlign="LEFT")
