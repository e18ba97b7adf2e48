"""``python -m inference.training``: train the network of `inference.networks`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from inference.training.bundle import first_part
from inference.training.checkpoint import export_safetensors, initial_weights
from inference.training.command import run_command
from inference.training.config import read_config
from inference.training.evaluation import labelled_case
from inference.training.sources import PHANTOM, held_out_mix, source_mix
from inference.training.train import Examination, Run
from inference.training.trainer import Trainer


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, or resume training; returns the process's exit code."""
    return run_command(_train, _parser(), arguments)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m inference.training", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="settings of the run (YAML)")
    parser.add_argument("--data", type=Path, help="folder with labels/ and ct/")
    parser.add_argument("--out", type=Path, required=True, help="run folder")
    parser.add_argument("--init", type=Path, help="weights to start from")
    parser.add_argument("--resume", action="store_true", help="go on from the run folder's state")
    parser.add_argument("--export", type=Path, help="write the averaged weights here at the end")
    return parser


def _train(options: argparse.Namespace) -> None:
    config = read_config(options.config)
    torch.set_num_threads(config.threads)
    mix = source_mix(config, options.data, options.out / "sources")
    cases = tuple(labelled_case(name, options.data) for name in config.cases)
    initial = first_part(initial_weights(options.init)) if options.init is not None else None
    trainer = Trainer(config, initial)
    mixes = {"held_out": held_out_mix(config, options.out / "sources")}
    if set(mix.families) != {PHANTOM}:
        mixes["deformed"] = mix
    run = Run(trainer, mix, Examination.of(config, mixes, cases), options.out)
    if options.resume:
        run.resume()
    run.train()
    if options.export is not None:
        notes = {"steps": str(trainer.step), "seed": str(config.seed)}
        export_safetensors(trainer.averaged.state_dict(), options.export, notes)


if __name__ == "__main__":
    sys.exit(main())
