"""Shows every result in OHIF, compares what it holds and displays, keeps the pictures.

``python tests/viewers/check.py --out DIR --viewer DIST``; exit status 1 on any fault. The pictures
in DIR/screenshots are to be looked at: the comparison cannot see what is ugly.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import archive_round_trip
import displayed
import orthanc
from ohif import Viewer, browser_page
from ohif_server import served
from playwright.sync_api import Page
from result import Result, table
from studies import Study, make_studies


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--viewer", type=Path, required=True, help="dist of @ohif/app")
    options = parser.parse_args()
    screenshots = options.out / "screenshots"
    screenshots.mkdir(parents=True, exist_ok=True)
    studies = make_studies(options.out)
    with orthanc.running(options.out / "orthanc") as port:
        results = [_archived(study, port) for study in studies]
        with served(options.viewer, port) as origin, browser_page() as page:
            for study in studies:
                results += _shown(study, page, origin, screenshots)
    text = table(results)
    (options.out / "table.md").write_text(f"{text}\n")
    sys.stdout.write(f"{text}\n\nScreenshots to look at: {screenshots}\n")
    faults = [(result, fault) for result in results for fault in result.faults]
    for result, fault in faults:
        sys.stdout.write(f"FAULT {result.tool}, {result.objects}: {fault}\n")
    return 1 if faults else 0


def _archived(study: Study, port: int) -> Result:
    faults = archive_round_trip.store(study.files, port)
    faults = faults or archive_round_trip.differences(study.files, port)
    outcome = f"{len(study.files)} objects stored, found and fetched unchanged"
    return Result("Orthanc DICOMweb", study.name, "STOW, QIDO, WADO", outcome, tuple(faults))


def _shown(study: Study, page: Page, origin: str, screenshots: Path) -> Iterator[Result]:
    """Everything of one study, each kind from a fresh start of the viewer."""
    for what, look in displayed.LOOKS.items():
        viewer = Viewer(page, origin, study.uid)
        outcome, faults = look(viewer, study)
        page.screenshot(path=screenshots / f"{study.name}-{what.replace(' ', '-')}.png")
        yield Result("OHIF", study.name, what, outcome, tuple(faults))


if __name__ == "__main__":
    sys.exit(main())
