"""Names in a configuration to prepared label sources, kept in a cache beside the run."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from inference.training.config import TrainingConfig
from inference.training.errors import InvalidTrainingConfig, MissingTrainingData
from inference.training.fine_config import FineConfig
from inference.training.label_maps import TORSOS, VERTEBRA_MAPS, torso_source, vertebra_source
from inference.training.label_source import LabelSource, without_steps
from inference.training.patches import SourceMix
from inference.training.phantom_source import phantom_source
from inference.training.skull_source import skull_source

Settings = TrainingConfig | FineConfig

_log = logging.getLogger(__name__)

PHANTOM = "phantom"
SKULL = "skull"

_SKULLS = 4

_HELD_OUT_SHIFT = 100_000
_HELD_OUT_SPINES = 3


def source_mix(config: Settings, data: Path | None, cache: Path) -> SourceMix:
    """Prepare every family the configuration gives a weight.

    Parameters
    ----------
    data
        Folder with ``labels/``; None where only procedural spines are used.
    cache
        Prepared sources are kept here and found again.
    """
    cache.mkdir(parents=True, exist_ok=True)
    families: dict[str, Sequence[LabelSource]] = {}
    for name, weight in config.sources.items():
        if weight <= 0:
            continue
        families[name] = _family(name, config, data, cache)
    if not families:
        raise InvalidTrainingConfig("sources: at least one weight above 0 is needed")
    weights = {name: config.sources[name] for name in families}
    torsos = [families[name][0] for name in TORSOS if name in families]
    return SourceMix(families, weights, torsos)


def _family(name: str, config: Settings, data: Path | None, cache: Path) -> Sequence[LabelSource]:
    if name == PHANTOM:
        return _phantoms(config, range(config.seed, config.seed + config.phantom_spines), cache)
    if name == SKULL:
        return [skull_source(config.seed + number) for number in range(_SKULLS)]
    return [_patient(name, data, cache)]


def _patient(name: str, data: Path | None, cache: Path) -> LabelSource:
    if name not in TORSOS and name not in VERTEBRA_MAPS:
        raise InvalidTrainingConfig(f"sources: unknown source {name}")
    prepare = torso_source if name in TORSOS else vertebra_source

    def make() -> LabelSource:
        if data is None:
            raise MissingTrainingData(f"source {name} needs a data folder")
        return prepare(name, data)

    return _prepared(cache / f"{name}.npz", make)


def _phantoms(config: Settings, seeds: Sequence[int], cache: Path) -> list[LabelSource]:
    mm = config.phantom_spacing_mm
    return [
        _prepared(cache / f"phantom_{seed}_{mm:g}mm.npz", partial(phantom_source, seed, mm))
        for seed in seeds
    ]


def _prepared(stored: Path, make: Callable[[], LabelSource]) -> LabelSource:
    if not stored.is_file():
        _log.info("preparing source %s", stored.stem)
        without_steps(make()).save(stored)
    return LabelSource.load(stored)


def held_out_mix(config: Settings, cache: Path) -> SourceMix:
    """Procedural spines that no training patch is cut from."""
    first = config.seed + _HELD_OUT_SHIFT
    count = min(_HELD_OUT_SPINES, config.phantom_spines)
    spines = _phantoms(config, range(first, first + count), cache)
    return SourceMix({PHANTOM: spines}, {PHANTOM: 1.0})
