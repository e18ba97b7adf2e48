"""No text of a picture covers another or runs off the page, however much there is to say."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import pytest

from inference.anatomy import VertebraLevel
from inference.volume import Notice
from sr_writer import not_analysable
from sr_writer.closeup import draw_close_up
from sr_writer.closeup_view import close_up
from sr_writer.drawing import Page
from sr_writer.findings_schema import ReferenceFindings
from sr_writer.overview import draw_not_analysable, draw_overview, draw_views
from sr_writer.panels import make_panels
from sr_writer.settings import PredecessorObject, SoftwareIdentity
from sr_writer.wording import superseding

NOTICE = superseding(PredecessorObject("1.2", "1.2.3", "1.2.4", "later slices arrived"))
CALIBRATION = "generic-120kvp, scale set on fat -106, air -999 HU, portal venous contrast -18.1 HU"


@pytest.fixture
def texts(monkeypatch):
    """Return every text drawn, with its extent in pixels: ``texts(draw, ...)``."""
    pages = []
    render = Page.rgb
    monkeypatch.setattr(Page, "rgb", lambda page: pages.append(page) or render(page))

    def drawn(draw, *arguments):
        pages.clear()
        draw(*arguments)
        (page,) = pages
        written = [text for text in page.figure.texts if text.get_text()]
        return page, [(text.get_text(), text.get_window_extent()) for text in written]

    return drawn


def assert_apart(page, extents):
    for words, box in extents:
        inside = box.x0 >= 0 and box.y0 >= 0 and box.x1 <= page.width and box.y1 <= page.height
        assert inside, f"{words!r} leaves the page"
    for (one, first), (other, second) in combinations(extents, 2):
        wide = min(first.x1, second.x1) - max(first.x0, second.x0)
        high = min(first.y1, second.y1) - max(first.y0, second.y0)
        assert min(wide, high) <= 1.0, f"{one!r} covers {other!r}"


def much_to_say(findings):
    """Every remark, every flag, the longest words about density."""
    spine = replace(
        findings.spine, calibration=CALIBRATION, contrast_phase="unspecified",
        bmd_levels=("L1", "L2", "L3"),
    )  # fmt: skip
    last = replace(
        findings.vertebrae[-1], fractured=False, complete=False,
        flags=("foreign_material", "scheuermann_like", "schmorl_like_pit", "short_vertebra"),
    )  # fmt: skip
    marked = tuple(
        replace(v, height_reference=ReferenceFindings(30.0, "neighbours"))
        for v in findings.vertebrae[:-1]
    )
    return replace(findings, spine=spine, vertebrae=(*marked, last))


@pytest.mark.parametrize("count", [1, 3, 9, 26])
@pytest.mark.parametrize("flagged", [0, 1, 7])
def test_of_the_overview(count, flagged, make_case, texts):
    levels = tuple(VertebraLevel.ordered()[-count:])
    case = make_case(levels=levels, shape=(130, 24, 22), fractured=levels[:flagged])
    findings = much_to_say(case.findings)
    panels = make_panels(findings, case.volume, case.segmentation)
    assert_apart(*texts(draw_overview, findings, panels, NOTICE))
    assert_apart(*texts(draw_views, findings, panels))


def test_of_the_close_up(make_case, texts):
    case = make_case()
    (flagged,) = case.findings.flagged
    long = replace(flagged, fracture_sentence=f"{flagged.fracture_sentence} " * 4)
    view = close_up(long, case.findings, case.volume, case.segmentation)
    assert_apart(*texts(draw_close_up, view, case.findings))


def test_of_the_picture_of_a_refusal(texts):
    reasons = tuple(
        Notice("gap", f"Slices {n} to {n + 9} of 600 are missing: the distance is 9 mm. " * 2)
        for n in range(3)
    )
    findings = not_analysable(None, reasons, SoftwareIdentity("spinenode", "0.1.0"))
    assert_apart(*texts(draw_not_analysable, findings, NOTICE))
