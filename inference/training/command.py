"""What the training commands share: logging to the terminal, and errors as one line."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable, Sequence

from inference.training.errors import TrainingError

_log = logging.getLogger("inference.training")


def run_command(
    run: Callable[[argparse.Namespace], None],
    parser: argparse.ArgumentParser,
    arguments: Sequence[str] | None,
) -> int:
    """Parse and run; returns the process's exit code, 2 where a `TrainingError` says why."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr
    )
    options = parser.parse_args(arguments)
    try:
        run(options)
    except TrainingError as error:
        _log.error("%s", error)
        return 2
    return 0
