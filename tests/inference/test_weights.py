"""Weights are loaded only when they are exactly the expected ones."""

from __future__ import annotations

import hashlib

import pytest
import torch
from safetensors.torch import save_file

from inference.errors import ModelUnavailable
from inference.networks import OUTPUT_CHANNELS, SpineUNet, from_prototype_names
from inference.segmenter import chosen_device, load_segmenter
from inference.weights import RELEASED, load_networks, own_weights


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_released_weights_have_the_digest_in_the_code():
    networks = load_networks(RELEASED)
    assert not networks.first.training
    assert RELEASED.identity.sha256 == digest(RELEASED.path)
    assert RELEASED.path.stat().st_size < 25e6


def test_altered_weights_are_refused(tmp_path):
    path = tmp_path / "altered.safetensors"
    content = bytearray(RELEASED.path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ModelUnavailable, match="sha256"):
        load_networks(own_weights(path, RELEASED.sha256, "altered"))


def test_missing_weights_are_named(tmp_path):
    with pytest.raises(ModelUnavailable, match=r"gone\.safetensors"):
        load_networks(own_weights(tmp_path / "gone.safetensors", "0" * 64, "gone"))


def test_weights_of_another_architecture_are_refused(tmp_path):
    path = tmp_path / "other.safetensors"
    save_file(SpineUNet(widths=(4, 8, 8)).state_dict(), path)
    with pytest.raises(ModelUnavailable):
        load_networks(own_weights(path, digest(path), "other"))


def test_own_weights_are_loaded_by_their_own_digest(tmp_path):
    path = tmp_path / "own.safetensors"
    save_file(SpineUNet().state_dict(), path)
    segmenter = load_segmenter(path, digest(path).upper(), device="cpu")
    assert segmenter.identity.name == "own"
    assert segmenter.identity.sha256 == digest(path)


def test_own_weights_without_digest_are_refused(tmp_path):
    with pytest.raises(ModelUnavailable, match="sha256"):
        load_segmenter(tmp_path / "own.safetensors", device="cpu")


@pytest.mark.parametrize("name", ["gpu", "cuda:7", ""])
def test_unknown_devices_are_refused(name):
    with pytest.raises(ModelUnavailable, match="device"):
        chosen_device(name)


@pytest.mark.parametrize("shape", [(16, 16, 16), (24, 40, 33)])
def test_the_network_answers_on_the_grid_of_its_input(shape):
    with torch.no_grad():
        output = SpineUNet(widths=(4, 4, 8)).eval()(torch.zeros(1, 2, *shape))
    assert output.shape == (1, OUTPUT_CHANNELS, *shape)


def test_names_of_earlier_checkpoints_are_translated():
    names = [
        "enc.0.c1.weight",
        "enc.2.sk.weight",
        "up.1.bias",
        "dec.3.0.weight",
        "dec.3.1.bias",
        "head.weight",
    ]
    renamed = from_prototype_names({name: torch.zeros(1) for name in names})
    assert set(renamed) <= set(SpineUNet().state_dict())
