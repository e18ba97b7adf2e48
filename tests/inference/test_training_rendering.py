"""HU rendering of a label geometry."""

import numpy as np
import pytest
import torch

from inference.networks import Tissue
from inference.training.acquisition import Slices, thick_slices
from inference.training.geometry import LabelGeometry
from inference.training.label_source import FAT, LUNG, MUSCLE
from inference.training.random_draws import Draws, blurred
from inference.training.rendering import render_hu


@pytest.fixture(scope="module")
def geometry() -> LabelGeometry:
    """One block body in muscle, with fat, lung and air beside it."""
    shape = (32, 32, 32)
    classes = np.zeros(shape, dtype=np.uint8)
    classes[10:22, 10:22, 10:22] = Tissue.BODY
    grid = np.indices(shape).astype(np.float32)
    distance = 2 * (np.abs(grid - 15.5).max(axis=0) - 6).astype(np.float32)
    tissues = np.full(shape, MUSCLE, dtype=np.uint8)
    tissues[:, 26:] = FAT
    tissues[:, :3] = 0
    tissues[:, 3:6] = LUNG
    levels = np.where(classes > 0, 20, 0).astype(np.uint8)
    empty = np.zeros((3, *shape), dtype=np.float32)
    return LabelGeometry(classes, levels, distance, tissues, empty, levels.astype(np.float32))


def test_same_seed_same_image(geometry):
    assert render_hu(geometry, 5).equal(render_hu(geometry, 5))
    assert not render_hu(geometry, 5).equal(render_hu(geometry, 6))


def test_rendering_leaves_the_global_generator_alone(geometry):
    torch.manual_seed(1)
    before = torch.get_rng_state()
    render_hu(geometry, 3)
    assert torch.equal(before, torch.get_rng_state())


def test_tissues_look_like_themselves(geometry):
    """Medians over many renderings: air, lung, fat, muscle and bone stand in the known order."""
    images = torch.stack([render_hu(geometry, seed) for seed in range(24)])
    medians = {
        "air": float(images[:, :, 0].median()),
        "lung": float(images[:, :, 4].median()),
        "fat": float(images[:, 2:8, 28:31].median()),
        "muscle": float(images[:, 2:6, 12:20, :].median()),
        "bone": float(images[:, 12:20, 12:20, 12:20].median()),
    }
    assert medians["air"] < -900
    assert -950 < medians["lung"] < -600
    assert -150 < medians["fat"] < -60
    assert 0 < medians["muscle"] < 90
    assert medians["bone"] > medians["muscle"] + 30


def test_images_stay_in_the_range_of_a_ct(geometry):
    for seed in range(10):
        image = render_hu(geometry, seed)
        assert image.dtype == torch.float32
        assert image.shape == geometry.classes.shape
        assert torch.isfinite(image).all()
        assert image.min() >= -1024
        assert image.max() <= 3071


@pytest.mark.parametrize("thickness_mm", [2.0, 3.0, 5.0])
@pytest.mark.parametrize("phase", [0.0, 0.37, 0.99])
def test_thick_slices_keep_constants_and_blur_edges(thickness_mm, phase):
    flat = torch.full((2, 2, 41), 250.0)
    torch.testing.assert_close(thick_slices(flat, Slices(thickness_mm, phase)), flat)
    edge = torch.zeros(1, 1, 40)
    edge[..., 20:] = 100.0
    profile = thick_slices(edge, Slices(thickness_mm, phase))[0, 0]
    assert profile[5] == pytest.approx(0.0, abs=1e-4)
    assert profile[35] == pytest.approx(100.0, abs=1e-3)
    assert float(profile.mean()) == pytest.approx(50.0, abs=4.0)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_thick_slices_lie_across_their_own_axis(axis):
    ramp = torch.arange(24.0).reshape([24 if a == axis else 1 for a in range(3)]).expand(24, 24, 24)
    thick = thick_slices(ramp % 2, Slices(8.0, 0.5, axis))
    assert thick.std(dim=axis).max() < 0.1
    other = (axis + 1) % 3
    stripes = torch.arange(24.0).reshape([24 if a == other else 1 for a in range(3)]) % 2
    stripes = stripes.expand(24, 24, 24)
    torch.testing.assert_close(thick_slices(stripes, Slices(8.0, 0.5, axis)), stripes)


def test_thick_slices_average_noise():
    noise = Draws(0).normal(16, 16, 60) * 50
    assert thick_slices(noise, Slices(5.0, 0.2)).std() < 0.75 * noise.std()


def test_blur_keeps_the_mean_and_works_per_axis():
    image = torch.zeros(9, 9, 9)
    image[4, 4, 4] = 1.0
    along_first = blurred(image, (1.0, 0.0, 0.0))
    assert float(along_first.sum()) == pytest.approx(1.0, abs=1e-5)
    assert along_first[3, 4, 4] > 0
    assert along_first[4, 3, 4] == 0
