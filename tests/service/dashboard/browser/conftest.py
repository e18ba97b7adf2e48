"""The real service with an archive that can be moody, and Chromium to look at it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import chromium as rig
import pydicom
import pytest
import yaml
from plain_browser import PASSWORD, quick_hash
from playwright.sync_api import Page
from pydicom.uid import generate_uid

from node import LoopbackArchive

PICTURES = Path(__file__).parents[4] / "build" / "browser"


@dataclass
class Hospital:
    """A node, an archive behind it, a scanner before it, and an IT department in a browser."""

    service: object
    archive: LoopbackArchive
    chromium: rig.Chromium
    phantom: Path
    folder: Path

    def series(self, name: str) -> list[Path]:
        """A study of its own that shows the phantom."""
        folder, study, series = self.folder / name, generate_uid(), generate_uid()
        folder.mkdir()
        for path in sorted((self.phantom / "dicom").iterdir()):
            ds = pydicom.dcmread(path)
            ds.PatientName, ds.PatientID = f"Doe^{name.title()}", f"ID-{name}"
            ds.StudyInstanceUID, ds.SeriesInstanceUID = study, series
            ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
            ds.save_as(folder / path.name)
        return sorted(folder.iterdir())

    def scan(self, name: str, images: int | None = None) -> threading.Thread:
        """Send a series while the browser looks on."""
        sending = threading.Thread(target=self.service.send, args=(self.series(name)[:images],))
        sending.start()
        return sending

    def url(self, path: str) -> str:
        return self.service.url(path)

    def window(self, **options) -> Page:
        return self.chromium.window(**options)

    def logged_in(self, name: str, **options) -> Page:
        page = self.window(**options)
        page.goto(self.url("/login"))
        page.get_by_label("Name").fill(name)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()
        page.get_by_role("heading", name="Queue").wait_for()
        return page

    def the_archive_answers(self, status: int) -> None:
        """To every object, from now on."""
        self.archive.status_for = lambda _sop_class_uid: status


@pytest.fixture(scope="module")
def hospital(make_service, small_phantom, tmp_path_factory) -> Iterator[Hospital]:
    """Whatever the tests do, at the end no request has left this host."""
    if rig.chromium_path() is None:
        pytest.skip(rig.ABSENT)
    folder = tmp_path_factory.mktemp("hospital")
    with LoopbackArchive(folder / "archive") as archive:
        service = make_service(folder, archive.port)
        settings = yaml.safe_load(service.config.read_text())
        settings["service"]["dashboard"]["users"] = {
            "anna": {"password": quick_hash(), "sees_identifiers": True},
            "vera": {"password": quick_hash(), "role": "viewer"},
        }
        settings["node"]["peers"] = [{"ae_title": "CT"}]
        settings["rules"]["min_instances"] = 8
        service.config.write_text(yaml.safe_dump(settings))
        service.start()
        with rig.chromium(folder) as chromium:
            yield Hospital(service, archive, chromium, small_phantom, folder)
        assert chromium.hosts_asked() == {"127.0.0.1"}
        assert rig.strangers(chromium.net_log) == set()


@pytest.fixture
def picture():
    """Keep a picture of a page for people to look at."""
    PICTURES.mkdir(parents=True, exist_ok=True)

    def keep(page: Page, name: str) -> None:
        page.screenshot(path=PICTURES / f"{name}.png", full_page=True)

    return keep
