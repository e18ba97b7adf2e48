"""Time and memory of segmentation and labelling on a CT of 500 slices of 512 x 512 at 0.8 mm.

python -m benchmarks.segmentation [--device cuda] [--slices 500] [--threads 2]

The CT is a phantom rendered at 1.6 mm and interpolated to the full grid, so that its size is real
and its rendering affordable. Stage times are wall time; peak memory is of the whole process,
without and with the segmentation.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable
from typing import Any
from unittest import mock

import numpy as np
import torch

from inference import segmenter as chain
from inference.anatomy import VertebraLevel
from inference.phantom.layout import field_of_view, phantom_anatomy
from inference.phantom.render import render
from inference.phantom.spec import USUAL_LEVELS, PhantomSpec
from inference.volume import CTVolume

FINE_MM = 0.8
COARSER = 2
WIDTH = 512
STAGES = ("prepare", "predict", "find_instances", "column_cues", "label_column", "fuse")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--slices", type=int, default=500)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=1)
    arguments = parser.parse_args()
    volume = large_ct(arguments.slices)
    before = peak_gib()
    print(f"CT {volume.hu.shape}, {volume.hu.nbytes / 2**20:.0f} MiB; peak before {before:.2f} GiB")
    segmenter = chain.load_segmenter(device=arguments.device, threads=arguments.threads)
    for _ in range(arguments.repeat):
        seconds, found = timed(lambda: segmenter.segment(volume))
        names = [v.level.name for v in found.vertebrae]
        print("  ".join(f"{stage} {seconds[stage]:.1f} s" for stage in (*STAGES, "total")))
        print(f"found {names[0]}-{names[-1]} ({len(names)}); peak memory {peak_gib():.2f} GiB")


def large_ct(slices: int) -> CTVolume:
    """A whole trunk on a grid of 512 x 512 x `slices`."""
    spec = PhantomSpec(
        seed=77,
        levels=enough_levels(slices * FINE_MM),
        spacing_xyz_mm=(FINE_MM * COARSER,) * 3,
        field_of_view_mm=FINE_MM * WIDTH,
    )
    anatomy = phantom_anatomy(spec)
    affine, (_, rows, columns) = field_of_view(spec, anatomy)
    coarse = render(spec, anatomy, affine, (slices // COARSER, rows, columns)).hu
    fine = coarse.repeat(COARSER, 0).repeat(COARSER, 1).repeat(COARSER, 2)
    rng = np.random.default_rng(1)
    for k in range(len(fine)):
        fine[k] += rng.normal(0, 8, fine[k].shape).astype(np.int16)
    scaled = affine.copy()
    scaled[:3, :3] /= COARSER
    scaled[:3, 3] -= scaled[:3, :3] @ np.full(3, (COARSER - 1) / 2)
    return CTVolume(fine[:, :WIDTH, :WIDTH], scaled)


def enough_levels(length_mm: float) -> tuple[VertebraLevel, ...]:
    """Levels from L5 upwards whose spine is about `length_mm` long, sacrum included."""
    count = max(3, min(len(USUAL_LEVELS), round((length_mm - 80) / 28)))
    return USUAL_LEVELS[-count:]


def timed(run: Callable[[], Any]) -> tuple[dict[str, float], Any]:
    """Run once; wall seconds of the chain's stages and of the whole."""
    seconds = dict.fromkeys(STAGES, 0.0)

    def watched(name: str) -> Callable[..., Any]:
        inner = getattr(chain, name)

        def call(*arguments: Any, **named: Any) -> Any:
            began = time.perf_counter()
            try:
                return inner(*arguments, **named)
            finally:
                seconds[name] += time.perf_counter() - began

        return call

    patches = [mock.patch.object(chain, name, watched(name)) for name in STAGES]
    began = time.perf_counter()
    for patch in patches:
        patch.start()
    try:
        result = run()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
    finally:
        for patch in patches:
            patch.stop()
    seconds["total"] = time.perf_counter() - began
    return seconds, result


def peak_gib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


if __name__ == "__main__":
    main()
