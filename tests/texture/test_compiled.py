"""Machine code is cached where it can be, and made anew where it cannot."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numba
import pytest

import texture.compiled
from texture import warm_up

REPOSITORY = Path(__file__).parents[2]


def test_a_place_that_cannot_be_written_costs_only_the_cache(monkeypatch):
    real = numba.njit

    def refusing(*arguments, **options):
        if options.get("cache"):

            def refuse(function):
                raise RuntimeError("cannot cache function: no locator available")

            return refuse
        return real(*arguments, **options)

    monkeypatch.setattr(texture.compiled.numba, "njit", refusing)

    def double(x):
        return 2 * x

    assert texture.compiled.compiled(double)(21) == 42


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs setpriv of util-linux")
def test_a_read_only_package_and_no_home_still_compute(tmp_path):
    program = (
        "import numpy as np, texture, texture.sweep; hu = np.arange(125.0).reshape(5, 5, 5);"
        "print(texture.__file__, texture.compute_features(hu, hu >= 0, (1, 1, 1))['rp'])"
    )
    for package in ("texture", "inference"):
        target = tmp_path / package
        shutil.copytree(REPOSITORY / package, target, ignore=shutil.ignore_patterns("__pycache__"))
        for folder in (target, *(p for p in target.rglob("*") if p.is_dir())):
            folder.chmod(0o555)
    environment = {
        "HOME": "/proc/nowhere",
        "PYTHONPATH": str(tmp_path),
        "PATH": os.environ["PATH"],
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    # Root writes anywhere unless it gives up the capability to.
    drop = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"]
    finished = subprocess.run(
        [*(drop if os.geteuid() == 0 else []), sys.executable, "-c", program],
        env=environment, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=250,
    )  # fmt: skip
    for folder in (tmp_path / "texture", tmp_path / "inference"):
        folder.chmod(0o755)
    assert finished.returncode == 0, finished.stderr
    location, value = finished.stdout.split()
    assert location.startswith(str(tmp_path))
    assert 0.0 < float(value) <= 1.0
    assert not list((tmp_path / "texture").rglob("*.nbi"))


def test_warm_up_leaves_nothing_to_compile():
    """After it, features of any preset add no new machine code."""
    import numpy as np

    from texture import PRESETS, compute_features, discretise, glcm, glrlm, histogram, keys, sweep  # noqa: F401

    warm_up()
    kernels = [
        keys._gather, discretise._scale_to_levels, histogram._count_clear_cases,
        sweep._count, glcm._cell_sums,
    ]  # fmt: skip
    before = [len(kernel.signatures) for kernel in kernels]
    assert all(before)
    hu = np.random.default_rng(0).normal(100, 20, (8, 9, 10))
    for preset in PRESETS:
        for array in (hu, hu.astype(np.int16), hu.astype(np.float32)):
            compute_features(array, hu > 60, (2.5, 0.7, 0.7), preset)
    assert [len(kernel.signatures) for kernel in kernels] == before
