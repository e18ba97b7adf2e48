"""Reads damaged series in a process of its own, so that a crash of a decoder is seen.

`python -m rig.loader_process FOLDER SEED COUNT` prints a JSON line: what became of the mutants,
the slowest, and the growth of the peak memory.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

from inference.errors import InferenceError, NotAnalysable
from inference.limits import InputLimits
from inference.loading import load_dicom
from rig.mutator import Mutator

ROOT = Path(__file__).parents[3]
LIMITS = InputLimits(rows=1024, columns=1024, frames=1000, voxels=2**22, inflated_bytes=2**22)


def read_damaged(folder: Path, seed: int, count: int) -> dict[str, Any]:
    """Run the loader in a process; a crash raises with what it said last."""
    command = [sys.executable, "-m", __spec__.name, str(folder), str(seed), str(count)]
    path = f"{ROOT}:{ROOT / 'tests' / 'endurance'}"
    ended = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=1200,
        check=False,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert ended.returncode == 0, (
        f"exit code {ended.returncode}\n{ended.stdout[-500:]}\n{ended.stderr[-3000:]}"
    )
    report: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return report


def main(folder: Path, first_seed: int, count: int) -> None:
    warnings.simplefilter("ignore")
    sound = {each: sorted(each.glob("*.dcm")) for each in sorted(folder.iterdir())}
    outcomes: Counter[str] = Counter()
    slowest = 0.0
    start_kib = 0
    for seed in range(first_seed, first_seed + count):
        # Kept current for the case that this process does not live to say more.
        (folder.parent / "seed").write_text(str(seed))
        mutator = Mutator(seed)
        series = mutator.rng.choice(list(sound))
        victim = mutator.rng.choice(sound[series])
        content = victim.read_bytes()
        kept = content[:132] if mutator.rng.random() < 0.9 else b""
        victim.write_bytes(kept + mutator.mutate(content[len(kept) :]))
        started = time.monotonic()
        try:
            load_dicom(series, LIMITS)
            outcome = "read"
        except NotAnalysable as error:
            outcome = error.code
        except InferenceError as error:
            outcome = type(error).__name__
        finally:
            victim.write_bytes(content)
        slowest = max(slowest, time.monotonic() - started)
        outcomes[f"{series.name}: {outcome}"] += 1
        if seed - first_seed == min(50, count // 2):
            start_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - start_kib
    report = {"outcomes": outcomes, "slowest_s": round(slowest, 2), "grown_kib": grown}
    sys.stdout.write(json.dumps(report) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
