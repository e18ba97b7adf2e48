"""``python -m inference.training.fine``: train the refining network of `inference.refiner`.

``--scenes-only`` makes the scenes of a run and stops: several processes may share that work, each
with its own ``--part N/M``.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from inference.networks import SpineUNet
from inference.training.bundle import first_part, own_part
from inference.training.checkpoint import export_safetensors, initial_weights, load_into
from inference.training.command import run_command
from inference.training.errors import MissingTrainingData
from inference.training.fine_config import FineConfig, read_fine_config
from inference.training.fine_samples import random_sample
from inference.training.fine_scenes import FineScene, make_scene
from inference.training.fine_trainer import FineTrainer, examine
from inference.training.patches import SourceMix
from inference.training.phantom_scenes import phantom_scene
from inference.training.sources import held_out_mix, source_mix

_log = logging.getLogger("inference.training")

_HELD_OUT_SHIFT = 1_000_000


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, resume training, or make scenes; returns the process's exit code."""
    return run_command(_run, _parser(), arguments)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m inference.training.fine", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="settings of the run (YAML)")
    parser.add_argument("--data", type=Path, help="folder with labels/")
    parser.add_argument("--first", type=Path, required=True, help="weights of the first network")
    parser.add_argument("--out", type=Path, required=True, help="run folder")
    parser.add_argument(
        "--init", type=Path, help="weights to start from: the refining network, or both"
    )
    parser.add_argument("--scenes-only", action="store_true", help="make scenes and stop")
    parser.add_argument("--part", default="0/1", help="share of the scenes to make, as N/M")
    parser.add_argument("--export", type=Path, help="write the averaged weights here at the end")
    return parser


def _run(options: argparse.Namespace) -> None:
    config = read_fine_config(options.config)
    torch.set_num_threads(config.threads)
    if options.scenes_only:
        part, parts = (int(number) for number in options.part.split("/"))
        _make_scenes(config, options, range(part, config.scenes, parts))
        if part == 0:
            _make_held_out(config, options)
        return
    store = options.out / "scenes"
    trainer = FineTrainer(config, own_part(options.init) if options.init else None)
    trainer.resume_in(options.out)
    held_out = [_load(store, _HELD_OUT_SHIFT + number) for number in range(config.held_out)]
    _train(config, trainer, [scene for scene in held_out if scene is not None], options.out)
    if options.export is not None:
        notes = {"steps": str(trainer.step), "seed": str(config.seed)}
        export_safetensors(trainer.averaged.state_dict(), options.export, notes)


def _train(
    config: FineConfig, trainer: FineTrainer, held_out: Sequence[FineScene], out: Path
) -> None:
    recent: list[float] = []
    started = time.monotonic()
    for scene, rng in _lessons(config, out / "scenes", trainer.step):
        sample = random_sample(scene, rng)
        recent.append(trainer.train_step(sample))
        if trainer.step % config.log_steps == 0:
            seconds = round(time.monotonic() - started)
            _note(out, {"step": trainer.step, "seconds": seconds, "loss": float(np.mean(recent))})
            recent = []
        if trainer.step % config.examine_steps == 0:
            report = examine(trainer.averaged, held_out)
            _note(out, {"step": trainer.step, **report})
            trainer.save(out)
    trainer.save(out)


def _lessons(
    config: FineConfig, store: Path, done: int
) -> Iterator[tuple[FineScene, np.random.Generator]]:
    """Scenes in an order that depends on seed and step alone; unfit and absent ones are skipped."""
    for step in range(done, config.schedule.steps):
        rng = np.random.default_rng([config.seed, 7, step])
        yield _fit_scene(config, store, rng), rng


def _fit_scene(config: FineConfig, store: Path, rng: np.random.Generator) -> FineScene:
    """A scene with a whole vertebra in it, drawn at random."""
    for number in rng.permutation(config.scenes):
        scene = _load(store, int(number))
        if scene is not None and scene.whole_vertebrae():
            return scene
    raise MissingTrainingData(f"no scene with a whole vertebra in {store}: make scenes first")


def _load(store: Path, number: int) -> FineScene | None:
    path = store / f"scene_{number}.npz"
    return FineScene.load(path) if path.is_file() else None


def _make_scenes(config: FineConfig, options: argparse.Namespace, numbers: Sequence[int]) -> None:
    mix = source_mix(config, options.data, options.out / "sources")
    _store_scenes(config, mix, options, numbers)


def _make_held_out(config: FineConfig, options: argparse.Namespace) -> None:
    mix = held_out_mix(config, options.out / "sources")
    numbers = range(_HELD_OUT_SHIFT, _HELD_OUT_SHIFT + config.held_out)
    _store_scenes(config, mix, options, numbers)


def _store_scenes(
    config: FineConfig, mix: SourceMix, options: argparse.Namespace, numbers: Sequence[int]
) -> None:
    store = options.out / "scenes"
    store.mkdir(parents=True, exist_ok=True)
    network = SpineUNet()
    load_into(network, first_part(initial_weights(options.first)))
    network.eval()
    for number in numbers:
        path = store / f"scene_{number}.npz"
        if not path.is_file():
            _scene(config, mix, network, number).save(path)
    _log.info("scenes ready: %d", len(numbers))


def _scene(config: FineConfig, mix: SourceMix, network: SpineUNet, number: int) -> FineScene:
    """Draw, by the number alone, whether a scene looks as phantoms do, and then the scene."""
    if np.random.default_rng([config.seed, number, 2]).random() < config.as_phantoms:
        return phantom_scene(network, config.seed, number)
    return make_scene(mix, network, config.seed, number)


def _note(out: Path, line: dict[str, float]) -> None:
    with (out / "metrics.jsonl").open("a", encoding="utf-8") as metrics:
        metrics.write(json.dumps(line) + "\n")
    _log.info("%s", line)


if __name__ == "__main__":
    sys.exit(main())
