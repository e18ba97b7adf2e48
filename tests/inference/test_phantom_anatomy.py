"""The procedural spine: sizes, heights, fractures, and its parts on a grid."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.anatomy import SACRUM_LABEL, VertebraLevel
from inference.phantom.anatomy import (
    AnatomyOptions,
    Fracture,
    body_sdf,
    random_options,
    sample_anatomy,
)
from inference.phantom.body import BodyShape, anteroposterior_extent_mm, station_heights
from inference.phantom.fractures import expected_posterior, fracture_type, grade, height_loss
from inference.phantom.geometry import GeometryMaps, Tissue, rasterise

LUMBAR_SHAPE = (60, 50, 60)


def lumbar_affine() -> npt.NDArray[np.float64]:
    affine = np.zeros((4, 4))
    affine[2, 0] = affine[1, 1] = affine[0, 2] = 2.0
    affine[:, 3] = (-60, -60, 30, 1)
    return affine


@pytest.fixture(scope="module")
def lumbar() -> GeometryMaps:
    anatomy = sample_anatomy(np.random.default_rng(1))
    return rasterise(anatomy, lumbar_affine(), LUMBAR_SHAPE)


def test_spacing_of_an_average_adult_follows_verse() -> None:
    """Centre distances lie within two standard deviations of the VerSe'20 means."""
    anatomy = sample_anatomy(np.random.default_rng(0), AnatomyOptions(variation=0.0))
    centers = {v.level.name: v.center_lps_mm for v in anatomy.vertebrae}
    measured = {
        ("C7", "T1"): (18.8, 1.2), ("T5", "T6"): (23.5, 1.5), ("T9", "T10"): (25.7, 1.6),
        ("T11", "T12"): (29.8, 1.8), ("L1", "L2"): (33.4, 2.4), ("L4", "L5"): (31.7, 2.7),
    }  # fmt: skip
    for (upper, lower), (mean, sd) in measured.items():
        distance = np.linalg.norm(centers[upper] - centers[lower])
        assert abs(distance - mean) < 2 * sd, (upper, lower, distance)


@pytest.mark.parametrize("seed", range(5))
def test_healthy_vertebrae_stay_clear_of_grade_1(seed: int) -> None:
    anatomy = sample_anatomy(np.random.default_rng(seed))
    for vertebra in anatomy.vertebrae:
        assert height_loss(station_heights(vertebra.body), None) < 0.12, vertebra.level.name


@pytest.mark.parametrize("seed", range(4))
def test_the_surface_has_the_heights_that_the_vertebra_states(seed: int) -> None:
    rng = np.random.default_rng(seed)
    anatomy = sample_anatomy(rng, random_options(rng))
    for vertebra in anatomy.vertebrae:
        measured, stated = station_heights(vertebra.body), vertebra.heights
        for name in ("anterior", "middle", "posterior"):
            assert getattr(measured, name) == pytest.approx(getattr(stated, name), abs=0.02)


def test_heights_of_a_plain_block_are_those_of_its_planes() -> None:
    """Without concavity the planes 20 mm in front and 30 mm behind give linear heights."""
    shape = BodyShape(48, 36, 20, 30, 0.0, waist=0.0, canal_indent=0.0, taper=0.0, exponent=2.4)
    front, back = anteroposterior_extent_mm(shape)
    assert front == pytest.approx(-18, abs=0.25)
    assert back == pytest.approx(18, abs=0.25)
    heights = station_heights(shape)
    assert heights.posterior == pytest.approx(28.5, abs=0.15)
    assert heights.middle == pytest.approx(25.0, abs=0.1)
    assert heights.anterior == pytest.approx(21.5, abs=0.15)


@settings(max_examples=15, deadline=None)
@given(
    kind=st.sampled_from(["wedge", "biconcave", "crush"]),
    loss=st.floats(0.16, 0.6),
    level=st.sampled_from(["T6", "T11", "L1", "L4", "L5"]),
    seed=st.integers(0, 50),
)
def test_a_requested_fracture_is_what_the_surface_shows(
    kind: str, loss: float, level: str, seed: int
) -> None:
    """Loss within 0.01 of the request, and the requested type wherever there is a grade."""
    fracture = Fracture(VertebraLevel[level], kind, loss)
    anatomy = sample_anatomy(np.random.default_rng(seed), AnatomyOptions(fractures=(fracture,)))
    heights = {v.level: station_heights(v.body) for v in anatomy.vertebrae}
    others = {v: h.posterior for v, h in heights.items() if v != fracture.level}
    expected = expected_posterior(fracture.level, others)
    shown = heights[fracture.level]
    measured = height_loss(shown, expected)
    assert measured == pytest.approx(loss, abs=0.01)
    if grade(measured):
        assert fracture_type(shown, expected) == kind


def test_equal_seeds_give_equal_anatomies_and_maps(lumbar: GeometryMaps) -> None:
    again = rasterise(sample_anatomy(np.random.default_rng(1)), lumbar_affine(), LUMBAR_SHAPE)
    np.testing.assert_array_equal(again.tissue, lumbar.tissue)
    np.testing.assert_array_equal(again.sdf_mm, lumbar.sdf_mm)


def test_bodies_lie_inside_their_vertebrae(lumbar: GeometryMaps) -> None:
    body = lumbar.bodies > 0
    assert body.any()
    np.testing.assert_array_equal(lumbar.labels[body], lumbar.bodies[body])
    assert np.all(lumbar.sdf_mm[lumbar.labels > 0] < 0)


def test_labels_ascend_towards_the_feet(lumbar: GeometryMaps) -> None:
    """k ascends to the head here, so the mean k of a label falls with its number."""
    present = [label for label in np.unique(lumbar.labels) if label not in (0, SACRUM_LABEL)]
    heights = [np.argwhere(lumbar.labels == label)[:, 0].mean() for label in present]
    assert len(present) >= 3
    assert heights == sorted(heights, reverse=True)


def test_discs_and_canal_keep_out_of_bone(lumbar: GeometryMaps) -> None:
    for tissue in (Tissue.DISC, Tissue.CANAL):
        assert (lumbar.tissue == tissue).sum() > 200
        assert np.all(lumbar.sdf_mm[lumbar.tissue == tissue] >= 0)


def test_labels_agree_with_the_surface_of_single_bodies(lumbar: GeometryMaps) -> None:
    """Voxels deep inside the analytic body of L3 carry its label; its centre is found there."""
    vertebra = sample_anatomy(np.random.default_rng(1)).vertebra(VertebraLevel.L3)
    index = np.argwhere(np.ones(LUMBAR_SHAPE, bool))
    affine = lumbar_affine()
    points = vertebra.to_local(index @ affine[:3, :3].T + affine[:3, 3]).astype(np.float32)
    x, y, z = points.T
    distance = body_sdf(vertebra.body, (x, y, z)).reshape(LUMBAR_SHAPE)
    assert np.all(lumbar.bodies[distance < -3] == vertebra.level)
    assert not np.any(lumbar.bodies[distance > 0.5] == vertebra.level)


def test_a_window_far_from_the_spine_is_quick_and_empty() -> None:
    anatomy = sample_anatomy(np.random.default_rng(1))
    affine = lumbar_affine()
    affine[0, 3] = 900.0
    assert not rasterise(anatomy, affine, (10, 10, 10)).labels.any()


def test_a_displacement_moves_the_anatomy(lumbar: GeometryMaps) -> None:
    """A constant displacement of one voxel equals a shift of the grid by one voxel."""
    anatomy = sample_anatomy(np.random.default_rng(1))
    shift = np.zeros((*LUMBAR_SHAPE, 3), np.float32)
    shift[..., 2] = 2.0
    moved = rasterise(anatomy, lumbar_affine(), LUMBAR_SHAPE, shift)
    agree = moved.labels[:-1] == lumbar.labels[1:]
    assert agree.mean() > 0.9995


def test_variants_have_the_levels_they_name() -> None:
    options = AnatomyOptions(thoracic_count=13, lumbar_count=6)
    levels = [v.level.name for v in sample_anatomy(np.random.default_rng(3), options).vertebrae]
    assert levels[-8:] == ["T12", "T13", "L1", "L2", "L3", "L4", "L5", "L6"]
    short = AnatomyOptions(thoracic_count=11, lumbar_count=4)
    levels = [v.level.name for v in sample_anatomy(np.random.default_rng(3), short).vertebrae]
    assert levels[-5:] == ["T11", "L1", "L2", "L3", "L4"]
