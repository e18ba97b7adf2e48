"""What a training run is made of, read from one YAML file."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from inference.training.errors import InvalidTrainingConfig


@dataclass(frozen=True)
class Schedule:
    """Length and step size of a run; steps, not minutes, so that a run can be repeated."""

    steps: int = 3000
    warmup_steps: int = 50
    learning_rate: float = 5e-4
    final_fraction: float = 0.02
    weight_decay: float = 1e-4
    gradient_limit: float = 5.0
    ema_decay: float = 0.995


@dataclass(frozen=True)
class LossWeights:
    """Weights of the four terms of the loss."""

    cross_entropy: float = 1.0
    dice: float = 1.0
    offset: float = 1.0
    level: float = 0.5


@dataclass(frozen=True)
class Cadence:
    """How often a run is saved and judged, in minutes of wall time, and logged, in steps."""

    checkpoint_minutes: float = 4.0
    evaluation_minutes: float = 12.0
    log_steps: int = 25


@dataclass(frozen=True)
class TrainingConfig:
    """A whole training run.

    Attributes
    ----------
    sources
        Weight of every label source in the mix, by name (`inference.training.sources`).
    cases
        CTs that judge the run besides held-out patches (`inference.training.evaluation`).
    patch_size
        Voxels of a training patch at 2 mm, ``[R+, A+, S+]``, multiples of 8.
    threads, workers
        Threads of the optimiser's process, and processes that make patches (0: none of its own).
    phantom_spines, phantom_spacing_mm
        Procedural spines made for the source ``phantom``, and the grid they are kept on.
    """

    seed: int = 20261121
    sources: dict[str, float] = field(default_factory=lambda: {"phantom": 1.0})
    cases: tuple[str, ...] = ()
    patch_size: tuple[int, int, int] = (56, 64, 80)
    widths: tuple[int, ...] = (12, 24, 48, 96, 128)
    threads: int = 1
    workers: int = 1
    phantom_spines: int = 24
    phantom_spacing_mm: float = 2.0
    schedule: Schedule = field(default_factory=Schedule)
    loss: LossWeights = field(default_factory=LossWeights)
    cadence: Cadence = field(default_factory=Cadence)


_SECTIONS = {"schedule": Schedule, "loss": LossWeights, "cadence": Cadence}
_TUPLES = ("cases", "patch_size", "widths")


def read_config(path: Path) -> TrainingConfig:
    """Read a training configuration; absent keys keep their defaults.

    Raises
    ------
    InvalidTrainingConfig
        If the file is absent, no mapping, or holds a key that does not exist.
    """
    return config_from_mapping(read_settings(path))


def read_settings(path: Path) -> dict[str, Any]:
    """The mapping a YAML file holds.

    Raises
    ------
    InvalidTrainingConfig
        If there is no such file, or it is no mapping in YAML.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, yaml.YAMLError) as failure:
        raise InvalidTrainingConfig(f"{path.name}: {failure}") from failure
    if not isinstance(values, dict):
        raise InvalidTrainingConfig(f"{path.name}: expected a mapping of settings")
    return values


def config_from_mapping(values: dict[str, Any]) -> TrainingConfig:
    """Build a configuration from plain values, as they come out of YAML or a checkpoint."""
    _refuse_unknown(values, TrainingConfig, "")
    settled = dict(values)
    for name, section in _SECTIONS.items():
        if name in settled:
            _refuse_unknown(settled[name], section, f"{name}.")
            settled[name] = section(**settled[name])
    for name in _TUPLES:
        if name in settled:
            settled[name] = tuple(settled[name])
    config = TrainingConfig(**settled)
    if len(config.patch_size) != 3 or any(size % 8 for size in config.patch_size):
        raise InvalidTrainingConfig("patch_size: needs three multiples of 8")
    return config


def _refuse_unknown(values: dict[str, Any], section: type, prefix: str) -> None:
    known = {entry.name for entry in dataclasses.fields(section)}
    unknown = sorted(set(values) - known)
    if unknown:
        raise InvalidTrainingConfig(f"unknown setting: {prefix}{unknown[0]}")
