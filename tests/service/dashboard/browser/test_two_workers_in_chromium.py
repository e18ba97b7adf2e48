"""Two workers share one queue on PostgreSQL, one is killed, and the page shows it as it happens."""

import re
import subprocess
import sys

import chromium as rig
import pytest
import yaml
from playwright.sync_api import expect
from pydicom import dcmread
from pydicom.uid import generate_uid

from inference import VertebraLevel
from inference.phantom.dicom import write_phantom
from inference.phantom.spec import PhantomSpec

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
SERIES = 20
ALL_MS = 500_000
LEASE_MS = 90_000
"""A lease of a minute, and some patience."""


@pytest.fixture(scope="module")
def short_spine(tmp_path_factory):
    """Images of three vertebrae: enough to be analysed, little to compute."""
    folder = tmp_path_factory.mktemp("short")
    spec = PhantomSpec(
        seed=5,
        levels=tuple(VertebraLevel[name] for name in ("L2", "L3", "L4")),
        spacing_xyz_mm=(1.5, 1.5, 2.5),
        field_of_view_mm=130.0,
    )
    write_phantom(spec, folder)
    return [dcmread(path) for path in sorted((folder / "dicom").iterdir())]


def write_study(images, folder):
    """The images as a study of its own."""
    folder.mkdir()
    study, series = generate_uid(), generate_uid()
    for number, ds in enumerate(images):
        ds.StudyInstanceUID, ds.SeriesInstanceUID = study, series
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        ds.save_as(folder / f"{number:03d}.dcm")
    return sorted(folder.iterdir())


def start_worker(service, name):
    with service.log.open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "service", "worker", "--config", str(service.config),
             "--name", name],
            stdout=log, stderr=log, cwd=service.folder,
        )  # fmt: skip


def test_all_series_finish_though_a_worker_is_killed(
    make_service, postgresql_url, short_spine, tmp_path, picture
):
    if rig.chromium_path() is None:
        pytest.skip(rig.ABSENT)
    service = make_service(tmp_path)
    settings = yaml.safe_load(service.config.read_text())
    settings["service"]["database"] = postgresql_url
    settings["inference"] = {"threads": 1}
    service.config.write_text(yaml.safe_dump(settings))
    service.start()
    second = start_worker(service, "second")
    try:
        with rig.chromium(tmp_path) as chromium:
            page = chromium.window()
            page.goto(service.url("/systems"))
            workers = page.locator("section", has=page.locator("#workers"))
            expect(workers.get_by_text("second")).to_be_visible(timeout=LEASE_MS)
            page.goto(service.url("/"))
            for number in range(SERIES):
                service.send(write_study(short_spine, tmp_path / f"series-{number}"))
            card = page.locator(".card", has_text="second")
            expect(page.locator(".card")).to_have_count(2, timeout=ALL_MS)
            expect(card.get_by_text(re.compile("segment|measure|write"))).to_be_visible()
            picture(page, "two-workers")
            job = card.locator("a").inner_text()
            second.kill()
            expect(page.locator(".card.silent")).to_contain_text("second", timeout=LEASE_MS)
            picture(page, "two-workers-one-silent")
            row = page.locator("tr", has=page.locator(f"#job-{job}"))
            expect(row).not_to_contain_text("second", timeout=LEASE_MS)
            picture(page, "two-workers-taken-over")
            answered = page.locator(".tile", has_text="answered in 24 hours").locator(".figure")
            expect(answered).to_have_text(str(SERIES), timeout=ALL_MS)
            expect(row.locator(".state")).to_have_text("analysed")
            picture(page, "two-workers-all-done")
        assert chromium.hosts_asked() == {"127.0.0.1"}
    finally:
        second.kill()
        second.wait(30)
