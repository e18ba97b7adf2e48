"""The second network's part of the chain: its input, its grid, and what happens when it fails."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from inference.axes import canonical_order
from inference.fusion import fuse
from inference.networks import SpineUNet, Tissue
from inference.preprocess import NetworkGrid, PreparedVolume
from inference.refinement import Refinement
from inference.refiner import INPUT_CHANNELS, Part, refiner_input, refiner_network
from inference.sliding import VoxelPrediction
from inference.weights import REFINER_PREFIX, load_networks, own_weights

CENTRE_MM = (41.0, 38.0, 43.0)
COARSE = (40, 40, 40)
NOTHING = np.zeros(COARSE, dtype=bool)
CPU = torch.device("cpu")


def ball(shape, spacing, radius_mm):
    """Distance inside a ball off the middle, so that a mirrored or swapped axis shows."""
    index = np.indices(shape, dtype=float)
    place = [(i + 0.5) * s - c for i, s, c in zip(index, spacing, CENTRE_MM, strict=True)]
    return radius_mm - np.sqrt(sum(p**2 for p in place))


def prediction_of(radius_mm):
    probabilities = np.zeros((len(Tissue), *COARSE), dtype=np.float32)
    probabilities[Tissue.BODY] = np.clip(ball(COARSE, (2, 2, 2), radius_mm) / 2 + 0.5, 0, 1)
    zeros = np.zeros(COARSE, dtype=np.float32)
    return VoxelPrediction(probabilities, np.stack([zeros] * 3), zeros, np.ones(COARSE, bool))


def scan_of(spacing, radius_mm):
    """A ball of 400 HU in nothing, on a source grid over the same 80 mm."""
    shape = tuple(round(80 / s) for s in spacing)
    hu = np.where(ball(shape, spacing, radius_mm) > 0, 400, 0).astype(np.int16)
    grid = NetworkGrid(canonical_order(np.eye(4)), shape, tuple(spacing), (0, 0, 0), shape)
    return PreparedVolume(np.zeros(COARSE, dtype=np.float32), hu, grid)


class BoneIsBody(nn.Module):
    """Calls body what is brighter than half of the ball's HU, by the first channel alone."""

    def forward(self, x):
        bright = (x[:, :1] - (200 - 200) / 350) * 50
        out = torch.full((len(x), len(Part), *x.shape[2:]), -20.0)
        out[:, Part.OUTSIDE] = 0
        out[:, Part.BODY] = bright[:, 0]
        return out


class Empty(nn.Module):
    def forward(self, x):
        out = torch.zeros((len(x), len(Part), *x.shape[2:]))
        out[:, Part.OUTSIDE] = 20
        return out


@pytest.mark.parametrize("spacing", [(1, 1, 1), (0.7, 0.9, 0.8), (3, 1, 1.5)])
def test_a_refined_mask_follows_the_source_and_not_the_coarse_mask(spacing):
    """The first network drew the ball 2 mm too small; the source shows its true radius."""
    prediction, scan = prediction_of(16), scan_of(spacing, 18)
    instances = (prediction.probabilities[Tissue.BODY] > 0.5).astype(np.uint8)
    refine = Refinement(BoneIsBody(), CPU, prediction, scan)
    masks = fuse(prediction, instances, {1: 20}, NOTHING, scan, refine)
    distance = ball(scan.grid.source_shape, spacing, 18)
    wrong = (masks.labels == 20) != (distance > 0)
    assert np.abs(distance[wrong]).max(initial=0) < 0.9 * max(1.0, *spacing)
    assert np.array_equal(masks.bodies, masks.labels)


def knobs(shape, spacing):
    """Three knobs on the ball, each of another length and along another axis: no mirror fits."""
    index = np.indices(shape, dtype=float)
    z, y, x = ((i + 0.5) * s - c for i, s, c in zip(index, spacing, CENTRE_MM, strict=True))
    left = (x > 0) & (x < 24) & (np.maximum(abs(y), abs(z)) < 5)
    front = (y < 0) & (y > -22) & (np.maximum(abs(x), abs(z)) < 5)
    head = (z > 0) & (z < 23) & (np.maximum(abs(x), abs(y)) < 5)
    return left | front | head


@pytest.mark.parametrize("spacing", [(1, 1, 1), (0.7, 0.9, 0.8), (2, 1, 1.5)])
def test_what_only_the_source_shows_is_drawn_on_its_own_side(spacing):
    """A refined mask that is mirrored, turned or shifted misses the knobs."""
    prediction, scan = prediction_of(16), scan_of(spacing, 16)
    instances = (prediction.probabilities[Tissue.BODY] > 0.5).astype(np.uint8)
    shape = scan.grid.source_shape
    truth = (ball(shape, spacing, 16) > 0) | knobs(shape, spacing)
    scan = PreparedVolume(scan.hu, np.where(truth, 400, 0).astype(np.int16), scan.grid)
    masks = fuse(
        prediction,
        instances,
        {1: 20},
        NOTHING,
        scan,
        Refinement(BoneIsBody(), CPU, prediction, scan),
    )
    only_knobs = truth & (ball(shape, spacing, 17) < 0)
    found = masks.labels == 20
    assert found[only_knobs].mean() > 0.9
    assert 2 * (found & truth).sum() / (found.sum() + truth.sum()) > 0.95


def test_a_failed_refinement_leaves_the_first_networks_mask():
    prediction, scan = prediction_of(16), scan_of((1, 1, 1), 18)
    instances = (prediction.probabilities[Tissue.BODY] > 0.5).astype(np.uint8)
    alone = fuse(prediction, instances, {1: 20}, NOTHING, scan)
    refine = Refinement(Empty(), CPU, prediction, scan)
    masks = fuse(prediction, instances, {1: 20}, NOTHING, scan, refine)
    assert (alone.labels == 20).any()
    assert np.array_equal(masks.labels, alone.labels)


def test_input_separates_own_from_other_vertebrae_on_the_fine_grid():
    probabilities = torch.zeros(len(Tissue), 4, 4, 4)
    probabilities[Tissue.BODY] = 1.0
    own = torch.zeros(4, 4, 4, dtype=torch.bool)
    own[:2] = True
    image = refiner_input(torch.zeros(2, 8, 8, 8), probabilities, own)
    assert image.shape == (INPUT_CHANNELS, 8, 8, 8)
    assert (image[2, :3] == 1).all()
    assert (image[2, 5:] == 0).all()
    torch.testing.assert_close(image[2] + image[4], torch.ones(8, 8, 8))


def test_any_size_is_padded_to_the_networks_stride():
    prediction, scan = prediction_of(9), scan_of((1, 1, 1), 9)
    instances = (prediction.probabilities[Tissue.BODY] > 0.5).astype(np.uint8)
    torch.manual_seed(0)
    refine = Refinement(refiner_network().eval(), CPU, prediction, scan)
    box = (slice(13, 28), slice(14, 27), slice(15, 28))
    mask = refine(instances, 1, box)
    assert mask.whole.shape == mask.body.shape
    assert all(
        n % (side.stop - side.start) == 0
        for n, side in zip(mask.whole.shape, mask.box, strict=True)
    )


def test_a_file_without_the_second_network_is_the_first_alone(tmp_path):
    tensors = SpineUNet().state_dict()
    path = tmp_path / "first.safetensors"
    save_file(tensors, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert load_networks(own_weights(path, digest, "first")).refiner is None
    second = {REFINER_PREFIX + name: t for name, t in refiner_network().state_dict().items()}
    save_file(tensors | second, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert load_networks(own_weights(path, digest, "both")).refiner is not None
