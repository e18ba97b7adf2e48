"""``python -m inference.training.bundle``: both networks of a release in one weights file."""

from __future__ import annotations

import argparse
import hashlib
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from inference.networks import SpineUNet
from inference.refiner import refiner_network
from inference.training.checkpoint import State, export_safetensors, initial_weights, load_into
from inference.training.command import run_command
from inference.weights import REFINER_PREFIX

_log = logging.getLogger("inference.training")


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the file and log its digest; returns the process's exit code."""
    return run_command(_write, _parser(), arguments)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m inference.training.bundle")
    parser.add_argument("--first", type=Path, required=True, help="weights of the first network")
    parser.add_argument("--refiner", type=Path, required=True, help="weights of the second one")
    parser.add_argument("--out", type=Path, required=True, help="safetensors file to write")
    return parser


def _write(options: argparse.Namespace) -> None:
    tensors = bundled(first_part(initial_weights(options.first)), own_part(options.refiner))
    export_safetensors(tensors, options.out, {"networks": "first, refiner"})
    _log.info("%s", hashlib.sha256(options.out.read_bytes()).hexdigest())


def first_part(tensors: State) -> State:
    """The first network's tensors of a file that may hold both."""
    return {n: tensor for n, tensor in tensors.items() if not n.startswith(REFINER_PREFIX)}


def own_part(path: Path) -> State:
    """The second network's tensors, from its own file or from one that holds both."""
    tensors = initial_weights(path)
    own = {
        n.removeprefix(REFINER_PREFIX): tensor
        for n, tensor in tensors.items()
        if n.startswith(REFINER_PREFIX)
    }
    return own or tensors


def bundled(first: State, refiner: State) -> State:
    """Tensors of both networks under the names of a released file.

    Raises
    ------
    CheckpointMismatch
        If either does not fit its network.
    """
    load_into(SpineUNet(), first)
    load_into(refiner_network(), refiner)
    return {**first, **{REFINER_PREFIX + n: tensor for n, tensor in refiner.items()}}


if __name__ == "__main__":
    sys.exit(main())
