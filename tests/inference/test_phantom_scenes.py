"""Scenes drawn as phantoms: truth, image and centres must lie on one another."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import nn

from inference.networks import OUTPUT_CHANNELS, Tissue
from inference.training.fine_scenes import SCENE_SHAPE
from inference.training.phantom_scenes import phantom_scene

SEED = 41


class BrightIsBody(nn.Module):
    """Calls bright voxels body, and lets every voxel vote for its own place."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        out = torch.zeros((1, OUTPUT_CHANNELS, *image.shape[2:]))
        out[:, Tissue.BODY] = image[:, 0] * 50
        return out


@pytest.fixture(scope="module")
def scenes():
    return {number: phantom_scene(BrightIsBody(), SEED, number) for number in (0, 3)}


@pytest.fixture(params=[0, 3])
def scene(scenes, request):
    return scenes[request.param]


def test_a_scene_has_the_refiners_shapes_and_whole_vertebrae(scene):
    assert scene.hu.shape == scene.levels.shape == scene.classes.shape == SCENE_SHAPE
    assert scene.coarse.shape == (len(Tissue), *(n // 2 for n in SCENE_SHAPE))
    assert scene.whole_vertebrae()


def test_truth_lies_on_the_bright_bone_and_its_mirror_images_do_not(scene):
    """Moved by 2 mm or mirrored along any axis, the truth fits the image worse."""
    bone = (scene.levels > 0).astype(np.float32)
    edge = ndimage.binary_dilation(bone > 0, iterations=3) & ~ndimage.binary_dilation(bone > 0)
    mean = float(scene.hu[bone > 0].mean())
    assert mean > float(scene.hu[edge].mean()) + 100
    for axis in range(3):
        for moved in (np.flip(bone, axis), np.roll(bone, 2, axis), np.roll(bone, -2, axis)):
            assert float(scene.hu[moved > 0].mean()) < mean - 3


def test_centres_lie_in_the_bodies(monkeypatch):
    """From the scene's middle; another sign or axis would leave the body."""
    given = {}

    def kept(network, hu, truth, centres):
        given["truth"], given["centres"] = truth, centres

    monkeypatch.setattr("inference.training.phantom_scenes.answered", kept)
    phantom_scene(BrightIsBody(), SEED, 0)
    classes, levels = given["truth"]
    middle = (np.array(SCENE_SHAPE) - 1) / 2
    compared = 0
    for label, centre_mm in zip(*given["centres"], strict=True):
        body = np.argwhere((levels == label) & (classes == Tissue.BODY)) - middle
        faces = np.abs(body).max(axis=0) >= middle if len(body) else np.ones(3, bool)
        if not faces.any():
            np.testing.assert_allclose(body.mean(axis=0), centre_mm, atol=2.5)
            compared += 1
    assert compared >= 3


def test_every_vertebra_owns_the_voxels_of_its_own_body(scene):
    owner = np.repeat(np.repeat(np.repeat(scene.owner, 2, 0), 2, 1), 2, 2)
    for label in scene.whole_vertebrae():
        body = (scene.levels == label) & (scene.classes == Tissue.BODY)
        owned = owner[body & (owner > 0)]
        assert (owned == label).mean() > 0.8


def test_the_same_number_gives_the_same_scene(scenes):
    again = phantom_scene(BrightIsBody(), SEED, 0)
    assert np.array_equal(scenes[0].hu, again.hu)
    assert np.array_equal(scenes[0].levels, again.levels)
    assert not np.array_equal(scenes[3].hu, again.hu)
