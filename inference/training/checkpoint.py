"""State of a training run on disk: written whole or not at all, read without running code."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from inference.networks import SpineUNet, from_prototype_names
from inference.training.errors import CheckpointMismatch, MissingTrainingData

State = dict[str, Tensor]


@dataclass(frozen=True)
class Checkpoint:
    """Everything a run needs to go on as if it had never stopped.

    Patches are numbered, so the step is also the position in the data.
    """

    step: int
    seconds: float
    best_score: float
    network: State
    averaged: State
    optimizer: dict[str, Any]
    config: dict[str, Any]

    def save(self, path: Path) -> None:
        """Write beside the target and move into place."""
        partial = path.with_suffix(".partial")
        torch.save(vars(self), partial)
        partial.replace(path)

    @staticmethod
    def load(path: Path) -> Checkpoint:
        """Read a checkpoint.

        Raises
        ------
        CheckpointMismatch
            If the file is no checkpoint of a run.
        """
        stored = torch.load(path, map_location="cpu", weights_only=True)
        if not isinstance(stored, dict) or "optimizer" not in stored:
            raise CheckpointMismatch(f"{path.name} is no checkpoint of a training run")
        return Checkpoint(**stored)


def initial_weights(path: Path) -> State:
    """Weights to start from: safetensors, a run's checkpoint, or a bare state dict.

    Raises
    ------
    MissingTrainingData
        If there is no such file.
    CheckpointMismatch
        If it holds no weights.
    """
    if not path.is_file():
        raise MissingTrainingData(f"no weights file {path}")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        stored = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, UnpicklingError, RuntimeError) as failure:
        raise CheckpointMismatch(f"{path.name} holds no weights") from failure
    if "averaged" in stored:
        state: State = stored["averaged"]
        return state
    if any(name.startswith("enc.") for name in stored):
        return from_prototype_names(stored)
    return dict(stored)


def load_into(network: SpineUNet, state: State) -> None:
    """Load weights, all of them.

    Raises
    ------
    CheckpointMismatch
        If names or shapes differ.
    """
    try:
        network.load_state_dict(state)
    except RuntimeError as mismatch:
        raise CheckpointMismatch("the weights are of another network") from mismatch


def export_safetensors(state: State, path: Path, notes: dict[str, str]) -> None:
    """Write weights for release: float32 tensors and notes on their origin."""
    tensors = {name: tensor.detach().float().contiguous() for name, tensor in state.items()}
    partial = path.with_suffix(".partial")
    save_file(tensors, partial, metadata=notes)
    partial.replace(path)
