"""OHIF as a user drives it, and what it holds in memory behind the picture."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import Locator, Page, sync_playwright

CHROMIUM = Path("/usr/bin/chromium")
# no graphics card: WebGL in software
_ARGUMENTS = ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader",
              "--enable-unsafe-swiftshader"]  # fmt: skip
_WINDOW = {"width": 1400, "height": 900}
_TIMEOUT_MS = 90_000
_THUMBNAILS = "[data-cy^=study-browser-thumbnail]"
_VIEWPORT = "services.viewportGridService.getActiveViewportId()"
_SCREEN = ".cornerstone-viewport-element"

_JS = f"""
window.spine = {{
  viewport: () => services.cornerstoneViewportService.getCornerstoneViewport({_VIEWPORT}),
  shown: () => {{
    const viewport = services.viewportGridService.getState().viewports.get({_VIEWPORT});
    const uid = viewport && viewport.displaySetInstanceUIDs[0];
    return uid ? services.displaySetService.getDisplaySetByUID(uid).SeriesDescription : null;
  }},
  segments: () => {{
    const [segmentation] = services.segmentationService.getSegmentations();
    if (!segmentation) return null;
    const images = segmentation.representationData.Labelmap.imageIds.map(
      id => cornerstone.cache.getImage(id));
    if (images.some(image => !image)) return null;
    const bytes = image => {{
      const data = new Uint8Array(image.getPixelData()); let text = '';
      for (let n = 0; n < data.length; n += 8192)
        text += String.fromCharCode(...data.subarray(n, n + 8192));
      return btoa(text);
    }};
    return {{
      labels: Object.fromEntries(
        Object.entries(segmentation.segments).map(([n, s]) => [n, s.label])),
      slices: images.map(image => ({{source: image.referencedImageId, rows: image.rows,
        columns: image.columns, pixels: bytes(image)}})),
    }};
  }},
}};
"""


@dataclass(frozen=True)
class ViewedSlice:
    """One slice of the label map in the viewer's memory.

    Attributes
    ----------
    instance, frame
        SOP Instance UID and frame number of the image it lies on.
    segments
        uint8 (rows, columns) of segment numbers.
    """

    instance: str
    frame: int
    segments: np.ndarray


@contextmanager
def browser_page() -> Iterator[Page]:
    """Open a page of the system's Chromium; the viewer's guided tour counts as seen."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=_ARGUMENTS)
        page = browser.new_page(viewport=_WINDOW)
        page.set_default_timeout(_TIMEOUT_MS)
        page.add_init_script("localStorage.setItem('shownTours', '[\"basicViewerTour\"]')")
        yield page
        browser.close()


class Viewer:
    """One study in the viewer.

    Parameters
    ----------
    origin
        Where the viewer is served.
    """

    def __init__(self, page: Page, origin: str, study_uid: str) -> None:
        self.page = page
        page.goto(f"{origin}/viewer?StudyInstanceUIDs={study_uid}")
        page.locator(_THUMBNAILS).first.wait_for()
        page.wait_for_function("document.querySelector('.viewport-element canvas')")
        page.evaluate(_JS)

    def series(self) -> list[str]:
        """Descriptions of all series offered."""
        return list(
            self.page.evaluate(
                "services.displaySetService.getActiveDisplaySets().map(d => d.SeriesDescription)"
            )
        )

    def open(self, description: str) -> None:
        """Double-click a series in the list on the left."""
        self.page.locator(_THUMBNAILS, has_text=description).first.dblclick()

    def open_segmentation(self, description: str) -> None:
        """Open a SEG and say yes when asked."""
        self.open(description)
        self.page.get_by_role("button", name="Yes").click()
        self.page.wait_for_function("spine.shown() !== null && spine.segments() !== null")

    def segment_slices(self) -> tuple[dict[int, str], list[ViewedSlice]]:
        """Names of the segments, and their voxels, from the viewer's cache."""
        held = self.page.evaluate("spine.segments()")
        names = {int(number): str(label) for number, label in held["labels"].items()}
        return names, [_slice(each) for each in held["slices"]]

    def show_slice(self, instance: str, frame: int) -> None:
        """Scroll the active viewport to an image."""
        wanted = f"instances/{instance}/frames/{frame}"
        self.page.evaluate(
            "wanted => { const viewport = spine.viewport();"
            " const n = viewport.getImageIds().findIndex(id => id.endsWith(wanted));"
            " return viewport.setImageIdIndex(n); }",
            wanted,
        )
        self.page.wait_for_function(
            "wanted => spine.viewport().getCurrentImageId().endsWith(wanted)", arg=wanted
        )

    def to_canvas(self, points_lps_mm: np.ndarray) -> np.ndarray:
        """Screen positions (x, y) of patient points, in pixels of `canvas`."""
        script = "points => points.map(p => [...spine.viewport().worldToCanvas(p)])"
        return np.array(self.page.evaluate(script, np.asarray(points_lps_mm).tolist()))

    def canvas(self) -> np.ndarray:
        """Return the active viewport as uint8 (y, x, 3)."""
        return _rgb(self.page.locator(_SCREEN).first.screenshot())

    def window(self) -> np.ndarray:
        """Return the whole window as uint8 (y, x, 3)."""
        return _rgb(self.page.screenshot())

    def measurements(self, description: str) -> list[dict[str, Any]]:
        """Return the groups of a report as the viewer reads them."""
        self.page.wait_for_function("document.querySelector('[data-annotation-uid]')")
        script = (
            "wanted => services.displaySetService.getActiveDisplaySets()"
            ".find(d => d.SeriesDescription === wanted).measurements.map(m => ({"
            "name: m.TrackingIdentifier, labels: m.labels, image: m.imageId, loaded: m.loaded,"
            "point: m.coords[0].GraphicData}))"
        )
        return list(self.page.evaluate(script, description))

    def annotations(self) -> tuple[list[str], np.ndarray]:
        """Texts of the arrows on the screen, and the (x, y) their tips point to."""
        texts = self.page.locator("[data-annotation-uid]").all_text_contents()
        lines = self.page.locator(f"{_SCREEN} svg line").all()
        tips = [[float(line.get_attribute(n) or "nan") for n in ("x2", "y2")] for line in lines]
        return texts, np.array(tips).reshape(-1, 2)

    def document(self, description: str) -> Locator:
        """Open a narrative report and return its text area."""
        self.open(description)
        self.page.locator("pre").first.wait_for()
        return self.page.locator("[data-cy=viewport-pane]").first

    def picture(self, description: str) -> np.ndarray:
        """Open a colour picture; return its pixels from the viewer's cache, (rows, columns, 3)."""
        self.open(description)
        self.page.wait_for_function("wanted => spine.shown() === wanted", arg=description)
        self.page.wait_for_function(
            "(() => { const v = spine.viewport(); const id = v && v.getCurrentImageId();"
            " const image = id && cornerstone.cache.getImage(id); return image && image.color; })()"
        )
        held = self.page.evaluate(
            "(() => { const image = cornerstone.cache.getImage("
            "spine.viewport().getCurrentImageId());"
            " return [image.rows, image.columns, Array.from(image.getPixelData())]; })()"
        )
        rows, columns, values = held
        return np.array(values, dtype=np.uint8).reshape(rows, columns, -1)[..., :3]

    def pdf(self, description: str) -> bytes:
        """Open a PDF; return the document that is handed to the browser."""
        self.open(description)
        shown = self.page.locator("object[type='application/pdf'][data^=blob]")
        shown.wait_for(state="attached")
        script = (
            "async () => { const url = document.querySelector('object[data^=blob]').data;"
            " const bytes = new Uint8Array(await (await fetch(url)).arrayBuffer());"
            " let text = ''; for (const byte of bytes) text += String.fromCharCode(byte);"
            " return btoa(text); }"
        )
        return base64.b64decode(self.page.evaluate(script))


def _rgb(png: bytes) -> np.ndarray:
    return np.array(Image.open(io.BytesIO(png)).convert("RGB"))


def _slice(held: dict[str, Any]) -> ViewedSlice:
    found = re.search(r"/instances/([0-9.]+)/frames/(\d+)", held["source"])
    if found is None:
        raise ValueError("a slice of the label map names no source image")
    pixels = np.frombuffer(base64.b64decode(held["pixels"]), np.uint8)
    segments = pixels.reshape(held["rows"], held["columns"])
    return ViewedSlice(found.group(1), int(found.group(2)), segments)
