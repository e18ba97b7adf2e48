"""What a training run of the refining network is made of, read from one YAML file."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path

from inference.training.config import Schedule, read_settings
from inference.training.errors import InvalidTrainingConfig


@dataclass(frozen=True)
class FineConfig:
    """A training run of the second network.

    Attributes
    ----------
    sources
        Weight of every label source, by name.
    scenes
        Pieces of spine made for the run.
    as_phantoms
        Share of the scenes, held-out ones too, that look as `spinenode phantom` draws
        them (`phantom_scenes`), and not as `rendering` does.
    held_out
        Further scenes that judge it, cut from procedural spines that no training scene is cut from.
    phantom_spines, phantom_spacing_mm
        Procedural patients, and the grid they are kept on.
    """

    seed: int = 20261121
    sources: dict[str, float] = field(default_factory=lambda: {"phantom": 1.0})
    scenes: int = 400
    as_phantoms: float = 0.0
    held_out: int = 6
    phantom_spines: int = 8
    phantom_spacing_mm: float = 1.25
    threads: int = 1
    log_steps: int = 25
    examine_steps: int = 250
    schedule: Schedule = field(default_factory=Schedule)


def read_fine_config(path: Path) -> FineConfig:
    """Read a configuration; absent keys keep their defaults.

    Raises
    ------
    InvalidTrainingConfig
        If the file is absent, no mapping, or holds a key that does not exist.
    """
    values = read_settings(path)
    known = {entry.name for entry in fields(FineConfig)}
    schedule = values.pop("schedule", {})
    unknown = sorted(set(values) - known) + sorted(
        f"schedule.{name}" for name in set(schedule) - {entry.name for entry in fields(Schedule)}
    )
    if unknown:
        raise InvalidTrainingConfig(f"unknown setting: {unknown[0]}")
    return FineConfig(schedule=Schedule(**schedule), **values)
