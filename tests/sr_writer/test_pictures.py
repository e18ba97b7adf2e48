"""The picture is true: left is left, up is up, millimetres are millimetres, nothing overlaps."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from inference.anatomy import VertebraLevel
from sr_writer import palette
from sr_writer.drawing import spread
from sr_writer.overview import draw_overview
from sr_writer.panels import make_panels
from sr_writer.reformat import CORONAL, SAGITTAL, curved_sheet


def sheet_of(case, plane, points=None):
    volume, segmentation = case.volume, case.segmentation
    if points is None:
        points = np.array([v.centroid_lps_mm for v in case.findings.vertebrae])
    return curved_sheet(volume, (segmentation.labels, segmentation.bodies), points, plane)


def shape_and_affine(name, affines):
    if name == "sagittal":
        shape = (40, 80, 70)
        return {"shape": shape, "affine": affines.sagittal(shape)}
    shape = (28, 80, 70)
    return {"shape": shape, "affine": affines.axial(shape, angle_deg=25.0 * (name == "oblique"))}


@pytest.mark.parametrize("name", ["axial", "oblique", "sagittal"])
def test_a_marker_appears_where_it_lies_in_the_patient(name, make_case, affines):
    """A metal marker front, left and low of the middle body is found there in both views."""
    case = make_case(**shape_and_affine(name, affines))
    centre = np.array(case.findings.vertebrae[1].centroid_lps_mm)
    marker = centre + np.array([10.0, -12.0, -8.0])
    k, j, i = np.rint(case.volume.to_index_kji(marker)).astype(int)
    case.volume.hu[k - 1 : k + 2, j - 1 : j + 2, i - 1 : i + 2] = 3000
    through = np.array([marker])
    for plane, axis in ((SAGITTAL, 1), (CORONAL, 0)):
        sheet = sheet_of(case, plane, through)
        rows, columns = np.nonzero(sheet.hu > 1500)
        z = sheet.origin_mm[0] - rows.mean() * sheet.pixel_mm
        across = sheet.origin_mm[1] + columns.mean() * sheet.pixel_mm
        reach = max(case.volume.spacing_kji_mm)
        assert abs(z - marker[2]) <= reach
        assert abs(across - marker[axis]) <= reach


def test_head_is_up_front_is_left_and_the_patients_left_is_right(make_case, affines):
    """T12 lies above L2, processes right of bodies (sagittal), ribs right of bodies (coronal)."""
    case = make_case(**shape_and_affine("axial", affines))
    for plane in (SAGITTAL, CORONAL):
        sheet = sheet_of(case, plane)
        rows = {v: np.nonzero(sheet.labels == int(v))[0].mean() for v in VertebraLevel
                if (sheet.labels == int(v)).any()}  # fmt: skip
        assert rows[VertebraLevel.T12] < rows[VertebraLevel.L1] < rows[VertebraLevel.L2]
        columns = np.nonzero(sheet.labels > 0)[1]
        body_columns = np.nonzero(sheet.bodies > 0)[1]
        assert columns.max() > body_columns.max() + 2
        assert columns.min() == body_columns.min()


def test_thick_slices_keep_their_proportions(make_case, affines):
    """A body 18 mm wide and 16 mm deep measures the same in a series of 6 mm slices."""
    shape = (20, 80, 70)
    case = make_case(shape=shape, affine=affines.axial(shape, spacing=(6.0, 0.8, 0.8)))
    for plane, size_mm in ((SAGITTAL, 16.0), (CORONAL, 18.0)):
        sheet = sheet_of(case, plane)
        rows, columns = np.nonzero(sheet.bodies == int(VertebraLevel.L1))
        assert (np.ptp(columns) + 1) * sheet.pixel_mm == pytest.approx(size_mm, abs=1.6)
        assert (np.ptp(rows) + 1) * sheet.pixel_mm == pytest.approx(0.72 * 38, abs=7)


def test_the_sheet_follows_a_bent_spine(make_case, affines):
    """Bodies 25 mm apart sideways all lie in one sagittal sheet."""
    case = make_case(**shape_and_affine("axial", affines))
    labels = np.zeros_like(case.segmentation.labels)
    points = []
    for n, vertebra in enumerate(case.findings.vertebrae):
        point = np.add(vertebra.centroid_lps_mm, [12.0 * (n - 1), 0, 0])
        k, j, i = np.rint(case.volume.to_index_kji(point)).astype(int)
        labels[k - 1 : k + 2, j - 3 : j + 4, i - 3 : i + 4] = int(vertebra.level)
        points.append(point)
    sheet = curved_sheet(case.volume, (labels, labels), np.array(points), SAGITTAL)
    assert set(np.unique(sheet.labels)) == {0, 19, 20, 21}


def test_flagged_levels_have_a_colour_of_their_own(make_case):
    """Vermillion is in the picture with a fracture, and not in the one without."""
    colour = np.array(palette.rgb(palette.FLAGGED))
    for fractured, expected in (((VertebraLevel.L1,), True), ((), False)):
        case = make_case(fractured=fractured)
        panels = make_panels(case.findings, case.volume, case.segmentation)
        picture = draw_overview(case.findings, panels)
        near = (abs(picture.astype(int) - colour).max(axis=-1) < 6).any()
        assert near == expected


def test_secondary_capture_holds_the_pixels_of_the_png(full_result):
    ds = pydicom.dcmread(full_result.out / "overview.sc.dcm")
    assert (ds.PhotometricInterpretation, ds.BurnedInAnnotation) == ("RGB", "NO")
    png = np.asarray(Image.open(full_result.out / "overview.png"))
    np.testing.assert_array_equal(ds.pixel_array, png)


def test_vertebrae_outside_the_field_of_view_do_not_stop_the_picture(make_case):
    case = make_case()
    far = replace(case.findings.vertebrae[2], centroid_lps_mm=(0.0, 0.0, -900.0), complete=False)
    findings = replace(case.findings, vertebrae=(*case.findings.vertebrae[:2], far))
    panels = make_panels(findings, case.volume, case.segmentation)
    assert draw_overview(findings, panels).shape[2] == 3


@given(st.lists(st.floats(0, 100), max_size=30), st.floats(1, 20))
def test_names_keep_apart_in_order_and_inside(positions, gap):
    placed = spread(sorted(positions), gap, 0.0, 100.0)
    fair = min(gap, 100.0 / max(len(placed) - 1, 1))
    assert all(b - a >= fair - 1e-6 for a, b in pairwise(placed))
    assert all(-1e-6 <= y <= 100 + 1e-6 for y in placed)
