"""The close-up of a flagged level: the right body, true lengths, referred to and verified."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pydicom
import pytest
from PIL import Image

from inference.anatomy import VertebraLevel
from sr_writer import VerificationFailed, verify_outputs, write_outputs
from sr_writer.closeup import draw_close_up
from sr_writer.closeup_view import SAMPLES, close_up


def view_of(case, n=1):
    vertebra = case.findings.vertebrae[n]
    return close_up(vertebra, case.findings, case.volume, case.segmentation)


@pytest.mark.parametrize("orientation", ["axial", "sagittal"])
def test_heights_are_drawn_at_their_true_length_anterior_to_the_left(
    orientation, make_case, affines
):
    shape = (40, 80, 70)
    case = make_case(shape=shape, affine=getattr(affines, orientation)(shape))
    view = view_of(case)
    heights = case.findings.vertebrae[1].heights_mm
    lines = {line.name: line for line in view.lines}
    assert set(lines) == {"anterior", "middle", "posterior"}
    for name, line in lines.items():
        drawn_mm = (line.bottom - line.top) * view.side_mm
        assert drawn_mm == pytest.approx(getattr(heights, name), abs=0.01)
        assert line.top < 0.5 < line.bottom
    assert lines["anterior"].across < lines["middle"].across < lines["posterior"].across
    assert lines["middle"].across == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("orientation", ["axial", "sagittal"])
def test_processes_lie_behind_and_the_left_rib_to_the_right(orientation, make_case, affines):
    """Bone of the boxes: a process behind the body, a rib to the patient's left."""
    shape = (40, 80, 70)
    case = make_case(shape=shape, affine=getattr(affines, orientation)(shape))
    points = case.volume.to_lps_mm(np.moveaxis(np.indices(shape), 0, -1))
    is_rib = points[..., 0] > case.findings.vertebrae[1].centroid_lps_mm[0] + 8.95
    case.segmentation.labels[is_rib] = 0  # else it would count as a posterior element
    view = view_of(case)
    middle = slice(SAMPLES // 2 - 8, SAMPLES // 2 + 8)
    for section in (view.sagittal, view.coronal):
        bone = section.hu[middle] > 170
        outside = bone & (section.distance_mm[middle] < -2.0)
        columns = np.nonzero(outside)[1]
        assert columns.size > 50
        assert (columns > SAMPLES // 2).mean() > 0.9
    assert view.sagittal.letters == ("A", "P")
    assert view.coronal.letters == ("R", "L")


def test_the_outline_is_that_of_the_flagged_body_alone(make_case):
    case = make_case(shape=(40, 80, 70))
    view = view_of(case)
    area_mm2 = (view.sagittal.distance_mm > 0).sum() * (view.side_mm / SAMPLES) ** 2
    k, j, _ = case.volume.spacing_kji_mm
    body = case.segmentation.bodies == int(VertebraLevel.L1)
    middle = round(float(np.argwhere(body)[:, 2].mean()))
    assert area_mm2 == pytest.approx(body[:, :, middle].sum() * k * j, rel=0.12)


def test_one_picture_and_object_per_flagged_level(make_case, settings, tmp_path):
    flagged = (VertebraLevel.T12, VertebraLevel.L2)
    case = make_case(fractured=flagged)
    written = write_outputs(case.findings, case.volume, case.segmentation, tmp_path, settings)
    close_ups = [item for item in written if item.kind == "closeup"]
    assert [item.path.name for item in close_ups] == ["closeup-T12.sc.dcm", "closeup-L2.sc.dcm"]
    assert len({item.SOPInstanceUID for item in close_ups}) == 2
    assert len({item.SeriesInstanceUID for item in close_ups}) == 1
    verify_outputs(written, case.findings, case.volume, case.segmentation)
    for item in close_ups:
        picture = np.asarray(Image.open(item.path.with_name(item.path.name[:-7] + ".png")))
        stored = pydicom.dcmread(item.path)
        assert np.array_equal(stored.pixel_array, picture)
        assert "height loss" in stored.ImageComments
    key_images = pydicom.dcmread(tmp_path / "key-images.ko.dcm")
    selected = {
        str(item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID)
        for item in key_images.ContentSequence
        if item.ValueType == "IMAGE"
    }
    assert {item.SOPInstanceUID for item in close_ups} < selected


def test_without_overview_there_is_no_close_up(make_case, settings, tmp_path):
    case = make_case()
    chosen = replace(settings, outputs=("key_images",))
    written = write_outputs(case.findings, case.volume, case.segmentation, tmp_path, chosen)
    assert [item.kind for item in written] == ["key_images"]
    verify_outputs(written, case.findings, case.volume, case.segmentation)
    assert list(tmp_path.glob("closeup-*")) == []


def test_a_close_up_that_names_another_finding_is_not_sent(make_case, settings, tmp_path):
    case = make_case()
    written = write_outputs(case.findings, case.volume, case.segmentation, tmp_path, settings)
    path = tmp_path / "closeup-L1.sc.dcm"
    ds = pydicom.dcmread(path)
    ds.ImageComments = ds.ImageComments.replace("L1", "L2")
    ds.save_as(path)
    with pytest.raises(VerificationFailed, match="closeup"):
        verify_outputs(written, case.findings, case.volume, case.segmentation)


def test_a_level_without_a_body_gets_no_close_up(make_case):
    case = make_case()
    case.segmentation.bodies[case.segmentation.bodies == int(VertebraLevel.L1)] = 0
    assert view_of(case) is None


def test_the_picture_is_deterministic(make_case):
    case = make_case()
    first, second = (draw_close_up(view_of(case), case.findings) for _ in range(2))
    assert np.array_equal(first, second)
    assert first.dtype == np.uint8
