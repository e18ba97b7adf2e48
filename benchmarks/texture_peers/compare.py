"""Time the engine, plain numpy and the peers on one synthetic spine (see ../texture.py)."""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import floor
import numpy as np
import numpy_features
from scipy import ndimage

from texture import Settings, compute_features, warm_up
from texture.discretise import discretise
from texture.settings import PRESETS

HERE = Path(__file__).parent
SPINE_CM3 = 261.0
VERTEBRAE = 17
GOLLER = PRESETS["goller2023"]
UNIT = Settings("unit", quantiser="fixed_bin_size", bin_width_hu=1.0, weighting="none")
ONE_MM = (1.0, 1.0, 1.0)
Body = tuple[np.ndarray, np.ndarray]


def synthetic_spine() -> list[Body]:
    """HU and mask of 17 bodies at 1 mm: a cortical shell around correlated trabecular noise."""
    random = np.random.default_rng(20261121)
    relative = np.linspace(3.0, 28.5, VERTEBRAE)
    bodies = []
    for cm3 in relative * SPINE_CM3 / relative.sum():
        depth = (cm3 * 1000 / (np.pi / 4 * 0.85 * 1.35)) ** (1 / 3)
        size = np.array([0.85, 1.0, 1.35]) * depth
        grid = np.indices(tuple(int(s) + 6 for s in size)).astype(float)
        centre = (np.array(grid.shape[1:]) - 1) / 2
        z, y, x = (2 * (g - c) / s for g, c, s in zip(grid, centre, size, strict=True))
        mask = (np.abs(z) <= 1) & (x**2 + y**2 <= 1)
        trabeculae = ndimage.gaussian_filter(random.normal(0, 1, mask.shape), 1.0)
        hu = 130 + 45 * trabeculae / trabeculae.std() + random.normal(0, 18, mask.shape)
        inner = ndimage.binary_erosion(mask)
        hu[mask & ~inner] += 250
        bodies.append((np.rint(hu).astype(np.int16), mask))
    return bodies


def cpu_seconds(work: Callable[[], object], repeats: int) -> float:
    """Best of `repeats`."""
    best = np.inf
    for _ in range(repeats):
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    return float(best)


def store(bodies: list[Body], path: Path) -> None:
    """One volume of all bodies side by side, as quantised levels, for the peers."""
    shape = np.max([mask.shape for _, mask in bodies], axis=0)
    levels = np.zeros((shape[0], shape[1], shape[2] * len(bodies)), dtype=np.int16)
    labels = np.zeros(levels.shape, dtype=np.uint8)
    for n, (hu, mask) in enumerate(bodies):
        k, j, i = mask.shape
        box = (slice(0, k), slice(0, j), slice(n * shape[2], n * shape[2] + i))
        levels[box] = quantised(hu, mask)
        labels[box][mask] = n + 1
    np.savez_compressed(path, levels=levels, labels=labels)


def quantised(hu: np.ndarray, mask: np.ndarray) -> np.ndarray:
    bordered, _ = discretise(hu[mask].astype(np.float64), mask, GOLLER)
    return bordered[1:-1, 1:-1, 1:-1]


def run_peer(python: str, script: str, spine: Path) -> dict:
    output = subprocess.run(
        [python, str(HERE / script), str(spine)], capture_output=True, text=True, check=True
    )
    return json.loads(output.stdout[output.stdout.index('{"cpu_s"') :])


def disagreement(found: list[dict[str, float]], expected: list[dict[str, float]]) -> float:
    """Largest relative difference over bodies and the features both tools give."""
    return max(
        abs(mine[key] / theirs[key] - 1.0)
        for mine, theirs in zip(found, expected, strict=True)
        for key in theirs
        if key in mine
    )


def without_histogram(features: dict[str, float]) -> dict[str, float]:
    """The peers' variance and skewness are of levels, not of 64 bins."""
    return {k: v for k, v in features.items() if k not in ("variance", "skewness")}


def against_floor(body: Body) -> tuple[float, float]:
    """CPU seconds of the floor and of the engine, in turn, so that both meet the same load."""
    least, one = np.inf, np.inf
    for _ in range(10):
        least = min(least, floor.seconds(*body, GOLLER, repeats=10))
        one = min(one, cpu_seconds(lambda: compute_features(*body, ONE_MM), 10))
    return float(least), float(one)


def peak_memory_mb(body: Body) -> float:
    tracemalloc.start()
    compute_features(*body, ONE_MM)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 1e6


def measure(arguments: argparse.Namespace) -> dict:
    start = time.perf_counter()
    warm_up()
    warm = time.perf_counter() - start
    bodies = synthetic_spine()
    voxels = [int(mask.sum()) for _, mask in bodies]
    engine = [compute_features(*body, ONE_MM) for body in bodies]
    rows = {
        "this engine": cpu_seconds(lambda: [compute_features(*b, ONE_MM) for b in bodies], 15),
        "plain numpy": cpu_seconds(
            lambda: [numpy_features.features(*b, GOLLER.levels, 64) for b in bodies], 3
        ),
    }
    by_numpy = [numpy_features.features(*body, GOLLER.levels, 64) for body in bodies]
    agreement = {"plain numpy": disagreement(engine, by_numpy)}
    unit = [compute_features(quantised(*b), b[1], ONE_MM, UNIT) for b in bodies]
    peers = {"mirp": arguments.mirp, "pyradiomics": arguments.pyradiomics}
    with tempfile.TemporaryDirectory() as folder:
        spine = Path(folder) / "spine.npz"
        store(bodies, spine)
        for name, python in peers.items():
            if python is None:
                continue
            answer = run_peer(python, f"run_{name}.py", spine)
            rows[name] = answer["cpu_s"]
            per_body = [answer["features"][str(n + 1)] for n in range(len(bodies))]
            agreement[name] = disagreement(unit, [without_histogram(f) for f in per_body])
    largest = max(bodies, key=lambda body: body[1].sum())
    floor_body = min(bodies, key=lambda body: abs(int(body[1].sum()) - 28_892))
    least, one = against_floor(floor_body)
    return {
        "voxels": {
            "spine": sum(voxels),
            "largest": max(voxels),
            "floor_body": int(floor_body[1].sum()),
        },
        "cpu_s_per_spine": rows,
        "largest_relative_difference": agreement,
        "floor_ms": least * 1e3,
        "floor_body_ms": one * 1e3,
        "times_floor": one / least,
        "peak_memory_mb": peak_memory_mb(largest),
        "warm_up_s": warm,
    }


def table(result: dict) -> str:
    own = result["cpu_s_per_spine"]["this engine"]
    lines = [
        "| tool | CPU s per spine | ms per vertebra | times this engine | largest difference |",
        "|---|---|---|---|---|",
    ]
    for name, seconds in result["cpu_s_per_spine"].items():
        difference = result["largest_relative_difference"].get(name)
        shown = "–" if difference is None else f"{difference:.1e}"
        lines.append(
            f"| {name} | {seconds:.4g} | {seconds / VERTEBRAE * 1e3:.3g} | {seconds / own:.4g} "
            f"| {shown} |"
        )
    lines += [
        "",
        f"spine {result['voxels']['spine']} voxels; counted floor of a body of "
        f"{result['voxels']['floor_body']} voxels {result['floor_ms']:.2f} ms, engine "
        f"{result['floor_body_ms']:.2f} ms: {result['times_floor']:.2f} times the floor; peak "
        f"memory of the largest body {result['peak_memory_mb']:.1f} MB; warm-up "
        f"{result['warm_up_s']:.2f} s",
    ]
    return "\n".join(lines)


def main(description: str) -> None:
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pyradiomics", metavar="PYTHON", help="interpreter with pyradiomics")
    parser.add_argument("--mirp", metavar="PYTHON", help="interpreter with mirp")
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    result = measure(arguments)
    print(table(result))
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n")
