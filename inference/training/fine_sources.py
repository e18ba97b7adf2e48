"""Label sources fine enough for 1 mm scenes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from inference.training.errors import InvalidTrainingConfig, MissingTrainingData
from inference.training.fine_config import FineConfig
from inference.training.fine_scenes import without_steps
from inference.training.label_maps import TORSOS, VERTEBRA_MAPS, torso_source, vertebra_source
from inference.training.label_source import LabelSource
from inference.training.patches import SourceMix
from inference.training.phantom_source import phantom_source
from inference.training.sources import PHANTOM

_HELD_OUT_SHIFT = 100_000


def fine_mix(config: FineConfig, data: Path | None, cache: Path) -> SourceMix:
    """Prepare every family the configuration gives a weight; prepared ones are kept in `cache`."""
    cache.mkdir(parents=True, exist_ok=True)
    families: dict[str, Sequence[LabelSource]] = {}
    for name, weight in config.sources.items():
        if weight <= 0:
            continue
        if name == PHANTOM:
            seeds = range(config.seed, config.seed + config.phantom_spines)
            families[name] = _phantoms(seeds, config, cache)
        else:
            families[name] = [_patient(name, data, cache)]
    weights = {name: config.sources[name] for name in families}
    torsos = [families[name][0] for name in TORSOS if name in families]
    return SourceMix(families, weights, torsos)


def held_out_fine_mix(config: FineConfig, cache: Path) -> SourceMix:
    """One procedural patient that no training scene is cut from."""
    cache.mkdir(parents=True, exist_ok=True)
    first = config.seed + _HELD_OUT_SHIFT
    return SourceMix({PHANTOM: _phantoms(range(first, first + 1), config, cache)}, {PHANTOM: 1.0})


def _phantoms(seeds: Sequence[int], config: FineConfig, cache: Path) -> list[LabelSource]:
    sources = []
    for seed in seeds:
        stored = cache / f"fine_phantom_{seed}.npz"
        if not stored.is_file():
            phantom_source(seed, config.phantom_spacing_mm).save(stored)
        sources.append(LabelSource.load(stored))
    return sources


def _patient(name: str, data: Path | None, cache: Path) -> LabelSource:
    stored = cache / f"fine_{name}.npz"
    if stored.is_file():
        return LabelSource.load(stored)
    if name not in TORSOS and name not in VERTEBRA_MAPS:
        raise InvalidTrainingConfig(f"sources: unknown source {name}")
    if data is None:
        raise MissingTrainingData(f"source {name} needs a data folder")
    source = torso_source(name, data) if name in TORSOS else vertebra_source(name, data)
    smooth = without_steps(source)
    smooth.save(stored)
    return smooth
